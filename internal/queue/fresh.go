package queue

// maxFresh bounds the tasks that are kept in memory although they are on disk.
const maxFresh = 16 << 20

// freshItems are tasks that were just written and will probably soon be taken.
type freshItems struct {
	items map[uint64]Item
	bytes int
}

func (f *freshItems) keep(it Item) {
	size := weight(it)
	if f.bytes+size > maxFresh {
		return
	}
	if f.items == nil {
		f.items = map[uint64]Item{}
	}
	f.items[it.ID] = it
	f.bytes += size
}

// take returns the item and forgets it; one without id when it is not there.
func (f *freshItems) take(id uint64) Item {
	it, ok := f.items[id]
	if ok {
		delete(f.items, id)
		f.bytes -= weight(it)
	}
	return it
}

// weight is about what an item takes in memory.
func weight(it Item) int {
	const fixed = 256
	if it.Value != nil {
		return fixed + 4*len(it.Payload)
	}
	return fixed + len(it.Lane) + len(it.Kind) + len(it.Pool) + len(it.Gate) + len(it.Source) + len(it.LastError) + len(it.Payload)
}

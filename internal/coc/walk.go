package coc

import "iter"

// walk yields the items of all pages, from the one at first on; page returns the
// place of the next one, or the zero value at the end. It ends with the first
// error, and where COC leads back to a page it has given already.
func walk[T any, P comparable](first P, page func(at P) ([]T, P, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var end P
		for at, seen := first, map[P]bool{first: true}; ; {
			items, next, err := page(at)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == end || seen[next] {
				return
			}
			at, seen[next] = next, true
		}
	}
}

// nextOffset is where the page after one of n items begins; 0 = there is none.
func nextOffset(offset, n, total int) int {
	if n == 0 || offset+n >= total {
		return 0
	}
	return offset + n
}

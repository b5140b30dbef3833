package render

import "text/template/parse"

// guard ends the pipelines of a tree in a function that checks their value.
// Each of them then takes bounded values and gives a bounded value, so that
// nothing an alert sends can make a template hold more than a small multiple of
// what its text spells out.
func guard(tree *parse.Tree) { guardNode(tree.Root) }

func guardNode(n parse.Node) {
	for _, child := range children(n) {
		guardNode(child)
	}
	switch n := n.(type) {
	case *parse.RangeNode:
		end(n.Pipe, iterateFunc)
	case *parse.PipeNode:
		if calls(n) {
			end(n, boundFunc)
		}
	}
}

func end(p *parse.PipeNode, function string) {
	id := parse.NewIdentifier(function).SetPos(p.Pos)
	p.Cmds = append(p.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: p.Pos, Args: []parse.Node{id}})
}

// calls says whether a pipeline has a function or a method with arguments;
// what has not, can only pass on what the alert holds.
func calls(p *parse.PipeNode) bool {
	if len(p.Cmds) != 1 {
		return true
	}
	args := p.Cmds[0].Args
	return len(args) != 1 || args[0].Type() == parse.NodeIdentifier
}

// children lists the nodes directly below n.
func children(n parse.Node) []parse.Node {
	switch n := n.(type) {
	case *parse.ListNode:
		return n.Nodes
	case *parse.ActionNode:
		return []parse.Node{n.Pipe}
	case *parse.PipeNode:
		list := make([]parse.Node, len(n.Cmds))
		for i, cmd := range n.Cmds {
			list[i] = cmd
		}
		return list
	case *parse.CommandNode:
		return n.Args
	case *parse.ChainNode:
		return []parse.Node{n.Node}
	case *parse.IfNode:
		return branches(&n.BranchNode)
	case *parse.WithNode:
		return branches(&n.BranchNode)
	case *parse.RangeNode:
		return branches(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			return []parse.Node{n.Pipe}
		}
	}
	return nil
}

func branches(b *parse.BranchNode) []parse.Node {
	if b.ElseList == nil {
		return []parse.Node{b.Pipe, b.List}
	}
	return []parse.Node{b.Pipe, b.List, b.ElseList}
}

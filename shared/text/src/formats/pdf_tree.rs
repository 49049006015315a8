//! Trees of a PDF (pages, fields, forms): none may contain itself, be deep, or reach its leaves on too many ways.

use std::collections::HashMap;

use crate::budget::limits;
use crate::error::Error;

/// What lies below a node.
#[derive(Clone, Copy, Default)]
struct Below {
    /// On how many ways leaves are reached.
    ways: u64,
    levels: usize,
}

enum Node {
    Open,
    Done(Below),
}

struct Step {
    node: u32,
    next: usize,
    below: Below,
}

pub(super) fn check(kids: &HashMap<u32, Vec<u32>>, leaves: u64) -> Result<(), Error> {
    let mut nodes: HashMap<u32, Node> = HashMap::new();
    for &root in kids.keys() {
        walk(root, kids, &mut nodes)?;
        // Roots come in no order, so that a tree may be known from below before it is met from above.
        let Some(Node::Done(below)) = nodes.get(&root) else { continue };
        if below.levels > limits::PDF_TREE_DEPTH {
            return Err(too_deep());
        }
        if below.ways > leaves {
            return Err(Error::limit(format!("A tree of the PDF has more than {leaves} leaves.")));
        }
    }
    Ok(())
}

/// What lies at the ends of a checked tree, from the left to the right.
pub(super) fn leaves(root: u32, kids: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        match kids.get(&node) {
            Some(kids) => open.extend(kids.iter().rev()),
            None => found.push(node),
        }
    }
    found
}

fn too_deep() -> Error {
    Error::limit(format!("A tree of the PDF is deeper than {} levels.", limits::PDF_TREE_DEPTH))
}

/// Depth first, with a stack of its own.
fn walk(root: u32, kids: &HashMap<u32, Vec<u32>>, nodes: &mut HashMap<u32, Node>) -> Result<(), Error> {
    let mut open = vec![Step { node: root, next: 0, below: Below::default() }];
    while let Some(mut step) = open.pop() {
        if step.next == 0 {
            match nodes.get(&step.node) {
                Some(Node::Open) => return Err(Error::corrupt("A tree of the PDF contains itself.")),
                Some(Node::Done(below)) => {
                    add(&mut open, *below);
                    continue;
                }
                None => nodes.insert(step.node, Node::Open),
            };
        }
        if let Some(&kid) = kids.get(&step.node).and_then(|kids| kids.get(step.next)) {
            step.next += 1;
            open.push(step);
            open.push(Step { node: kid, next: 0, below: Below::default() });
            if open.len() > limits::PDF_TREE_DEPTH {
                return Err(too_deep());
            }
            continue;
        }
        let below = Below { ways: step.below.ways.max(1), levels: step.below.levels + 1 };
        nodes.insert(step.node, Node::Done(below));
        add(&mut open, below);
    }
    Ok(())
}

fn add(open: &mut [Step], below: Below) {
    if let Some(above) = open.last_mut() {
        above.below.ways = above.below.ways.saturating_add(below.ways);
        above.below.levels = above.below.levels.max(below.levels);
    }
}

//! Trees of a PDF (pages, fields, names): none may contain itself, be deep, or reach one object on a million ways.

use std::collections::HashMap;

use crate::budget::limits;
use crate::error::Error;

enum Node {
    Open,
    /// On how many ways leaves are reached from here.
    Done(u64),
}

pub(super) fn check(kids: &HashMap<u32, Vec<u32>>) -> Result<(), Error> {
    let mut nodes: HashMap<u32, Node> = HashMap::new();
    for &root in kids.keys() {
        walk(root, kids, &mut nodes)?;
    }
    Ok(())
}

/// Depth first, with a stack of its own.
fn walk(root: u32, kids: &HashMap<u32, Vec<u32>>, nodes: &mut HashMap<u32, Node>) -> Result<(), Error> {
    let mut open = vec![(root, 0, 0u64)];
    while let Some((node, next, ways)) = open.pop() {
        if next == 0 {
            match nodes.get(&node) {
                Some(Node::Open) => return Err(Error::corrupt("A tree of the PDF contains itself.")),
                Some(Node::Done(below)) => {
                    add(&mut open, *below);
                    continue;
                }
                None => nodes.insert(node, Node::Open),
            };
        }
        if let Some(&kid) = kids.get(&node).and_then(|kids| kids.get(next)) {
            open.push((node, next + 1, ways));
            open.push((kid, 0, 0));
            if open.len() > limits::PDF_TREE_DEPTH {
                return Err(Error::limit(format!(
                    "A tree of the PDF is deeper than {} levels.",
                    limits::PDF_TREE_DEPTH
                )));
            }
            continue;
        }
        let below = ways.max(1);
        if below > limits::PDF_TREE_LEAVES {
            return Err(Error::limit(format!("A tree of the PDF has more than {} leaves.", limits::PDF_TREE_LEAVES)));
        }
        nodes.insert(node, Node::Done(below));
        add(&mut open, below);
    }
    Ok(())
}

fn add(open: &mut [(u32, usize, u64)], ways: u64) {
    if let Some((_, _, sum)) = open.last_mut() {
        *sum = sum.saturating_add(ways);
    }
}

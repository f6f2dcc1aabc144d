//! Graph of a network, built node by node. Operations that can run together are fused, before a [`Program`] is made of it.
//!
//! A value is a list of channel planes, each of them a channel of some node. So concatenation, slices of channels and channel
//! shuffles cost nothing: their readers get another list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pulp::Arch;

use super::activation::Activation;
use super::code_generation::CodeGenerator;
use super::convolution::Weights;
use super::grid::Grid;
use super::kernel_offsets::{Reading, Window};
use super::planes::Combine;
use super::program::Program;

/// Maximum width of the zeros around a map: a window that reaches further is left to another engine.
const MARGIN_MAX: usize = 4;

/// Minimum samples of a map that is never made whole: smaller ones stay in the cache anyway.
const CHAINED_LEN_MIN: usize = 128 << 10;

/// Index of a node in its graph.
pub type NodeId = usize;

/// A channel plane: rows by columns of one channel of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelPlane {
    /// The node.
    pub node: NodeId,
    /// The channel's number in it.
    pub channel: usize,
}

/// Parameters of a convolution.
#[derive(Debug, Clone)]
pub struct Filters {
    /// Outputs by inputs by kernel rows by kernel columns; channels by kernel rows by kernel columns if `depthwise`.
    pub weights: Arc<[f32]>,
    /// One for each output.
    pub bias: Arc<[f32]>,
    /// Size of the kernel, stride and padding.
    pub window: Window,
    /// One filter for each channel by itself.
    pub depthwise: bool,
    /// Activation that follows.
    pub activation: Activation,
}

/// Operation of a node.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A tensor from outside, dense in memory.
    Input,
    /// A convolution of the first input; a second one is added to it.
    Convolution(Filters),
    /// A function of each value by itself.
    Activate(Activation),
    /// A combination of two inputs; the second may have one value for each plane.
    Combine(Combine),
    /// Repeats rows and columns.
    Upsample([usize; 2]),
    /// Enlarges rows and columns by linear interpolation between the middles of pixels.
    UpsampleLinear([usize; 2]),
    /// Every so many rows and columns, from an offset on.
    Pick {
        /// Rows and columns from one to the next.
        step: [usize; 2],
        /// The first row and column.
        offset: [usize; 2],
    },
    /// The mean of each plane.
    Average,
    /// The greatest value under a window.
    PoolMax(Window),
    /// A copy into a map of another grid.
    Copy,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub name: String,
    pub operation: Operation,
    pub inputs: Vec<Vec<ChannelPlane>>,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Node {
    /// Returns true if it reads node `input` in a way for which a tensor without margin will not do.
    fn needs_margin(&self, input: NodeId) -> bool {
        let lists = self.inputs.iter().enumerate();
        let mut reading = lists.filter(|(_, list)| list.iter().any(|plane| plane.node == input));
        reading.any(|(at, _)| !self.reads_dense(at))
    }

    /// Returns true if input number `at` may be a tensor without margin.
    fn reads_dense(&self, at: usize) -> bool {
        match &self.operation {
            Operation::Convolution(filters) => at == 0 && filters.window.stride != [1, 1],
            Operation::Combine(_) | Operation::Activate(_) => false,
            _ => true,
        }
    }
}

/// A graph: nodes in an order in which they can run.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub(super) nodes: Vec<Node>,
}

/// Packed weights by the names of their nodes: the sizes of one network share them.
#[derive(Debug, Default)]
pub struct WeightCache(Mutex<HashMap<String, Arc<Weights>>>);

impl WeightCache {
    pub(super) fn share(&self, name: &str, weights: Weights) -> Arc<Weights> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(same) if **same == weights => Arc::clone(same),
            _ => {
                let weights = Arc::new(weights);
                known.insert(name.to_owned(), Arc::clone(&weights));
                weights
            }
        }
    }
}

/// Operation and inputs of a fused node.
type Fused = (Operation, Vec<Vec<ChannelPlane>>);

impl Graph {
    /// Adds a node of `channels` maps of `height` by `width`; `name` is for profiles.
    pub fn add(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: Vec<Vec<ChannelPlane>>,
        [channels, height, width]: [usize; 3],
    ) -> NodeId {
        let name = name.to_owned();
        self.nodes.push(Node { name, operation, inputs, channels, height, width });
        self.nodes.len() - 1
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True where no node was added.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Removes all nodes but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.nodes.truncate(len);
    }

    /// All channels of `node`.
    pub fn whole(&self, node: NodeId) -> Vec<ChannelPlane> {
        (0..self.nodes[node].channels).map(|channel| ChannelPlane { node, channel }).collect()
    }

    /// Rows and columns of `node`.
    pub fn size(&self, node: NodeId) -> [usize; 2] {
        [self.nodes[node].height, self.nodes[node].width]
    }

    /// Operation of `node`.
    pub fn operation(&self, node: NodeId) -> &Operation {
        &self.nodes[node].operation
    }

    /// Input planes of `node`.
    pub fn inputs(&self, node: NodeId) -> &[Vec<ChannelPlane>] {
        &self.nodes[node].inputs
    }

    /// Returns the node that has `planes` as its whole output.
    pub fn whole_of(&self, planes: &[ChannelPlane]) -> Option<NodeId> {
        let node = planes.first()?.node;
        (planes == self.whole(node)).then_some(node)
    }

    /// Returns true if a map of this size can be convolved with this window.
    pub fn can_convolve(window: &Window, [height, width]: [usize; 2], out: [usize; 2]) -> bool {
        let input = Grid { height, width, margin: MARGIN_MAX };
        let output = Grid { height: out[0], width: out[1], margin: MARGIN_MAX };
        Reading::of(window, &input, &output).is_some()
    }

    /// Compiles the program with these `outputs`. `None` if there is a node that no kernel can do.
    pub fn compile(
        mut self,
        arch: Arch,
        outputs: &[Vec<ChannelPlane>],
        cache: &WeightCache,
    ) -> Option<Program> {
        self.fuse(outputs);
        let mut outputs = outputs.to_vec();
        self.give_margins(&mut outputs);
        CodeGenerator::new(&self, &outputs, arch, cache).program()
    }

    /// Marks the nodes that the outputs depend on.
    pub(super) fn live(&self, outputs: &[Vec<ChannelPlane>]) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        outputs.iter().flatten().for_each(|plane| live[plane.node] = true);
        for at in (0..self.nodes.len()).rev() {
            if live[at] {
                self.nodes[at].inputs.iter().flatten().for_each(|plane| live[plane.node] = true);
            }
        }
        live
    }

    /// Counts the inputs and outputs that read each node.
    fn readers(&self, outputs: &[Vec<ChannelPlane>]) -> Vec<usize> {
        let live = self.live(outputs);
        let mut readers = vec![0; self.nodes.len()];
        let lists =
            self.nodes.iter().zip(&live).filter(|(_, live)| **live).flat_map(|(node, _)| &node.inputs);
        for list in lists.chain(outputs) {
            let mut nodes: Vec<NodeId> = list.iter().map(|plane| plane.node).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes.into_iter().for_each(|node| readers[node] += 1);
        }
        readers
    }

    /// Fuses activations and sums into the convolution before them, if no other node reads it. The fused node takes the last
    /// one's place, behind all its inputs. The nodes before it stay in the list, but no output depends on them any more.
    ///
    /// Example, with `c` as the only output:
    ///
    /// | node | before | after |
    /// | --- | --- | --- |
    /// | 0 `x` | input | input |
    /// | 1 `y` | input | input |
    /// | 2 `a` | convolution of `x` | not needed |
    /// | 3 `b` | ReLU of `a` | not needed |
    /// | 4 `c` | `b + y` | convolution of `x`, then ReLU, then `+ y` |
    fn fuse(&mut self, outputs: &[Vec<ChannelPlane>]) {
        let live = self.live(outputs);
        for at in (0..self.nodes.len()).filter(|at| live[*at]) {
            // Counted again for each node: a fused node reads other nodes than before.
            let readers = self.readers(outputs);
            let fused = match self.nodes[at].operation {
                Operation::Activate(activation) => self.with_activation(at, activation, &readers),
                Operation::Combine(Combine::Add) => self.with_sum(at, &readers),
                _ => None,
            };
            if let Some((operation, inputs)) = fused {
                let node = &mut self.nodes[at];
                (node.operation, node.inputs) = (operation, inputs);
            }
        }
    }

    /// Filters and input of the convolution that makes `planes`, if it has one reader and adds nothing yet.
    fn fusible(&self, planes: &[ChannelPlane], readers: &[usize]) -> Option<(&Filters, &Vec<ChannelPlane>)> {
        let node = self.whole_of(planes)?;
        match &self.nodes[node] {
            Node { operation: Operation::Convolution(filters), inputs, .. } => {
                (readers[node] == 1 && inputs.len() == 1).then_some((filters, &inputs[0]))
            }
            _ => None,
        }
    }

    /// Operation and inputs of node `at`, an activation, if it is fused into the convolution before it.
    fn with_activation(&self, at: NodeId, activation: Activation, readers: &[usize]) -> Option<Fused> {
        let (filters, input) = self.fusible(&self.nodes[at].inputs[0], readers)?;
        if filters.activation != Activation::NONE {
            return None;
        }
        let filters = Filters { activation, ..filters.clone() };
        Some((Operation::Convolution(filters), vec![input.clone()]))
    }

    /// Operation and inputs of node `at`, a sum, if it is fused into the convolution that makes one of its sides.
    fn with_sum(&self, at: NodeId, readers: &[usize]) -> Option<Fused> {
        let node = &self.nodes[at];
        for (convolved, added) in [(1, 0), (0, 1)] {
            let added = &node.inputs[added];
            let same_size =
                added.first().is_some_and(|plane| self.size(plane.node) == [node.height, node.width]);
            if let Some((filters, input)) = self.fusible(&node.inputs[convolved], readers)
                && same_size
            {
                return Some((Operation::Convolution(filters.clone()), vec![input.clone(), added.clone()]));
            }
        }
        None
    }

    /// Returns the last link of each node's chain; `None` for that link and outside chains. A chain consists of dense convolutions;
    /// the large output of each but the last is read by one convolution with a stride only.
    pub(super) fn chains(&self, outputs: &[Vec<ChannelPlane>], live: &[bool]) -> Vec<Option<NodeId>> {
        let readers = self.readers(outputs);
        let mut absorbed = vec![None; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            let Some((filters, input)) = self.link(at, live) else { continue };
            let Some(before) = self.whole_of(input).filter(|before| readers[*before] == 1) else { continue };
            let Node { channels, height, width, .. } = self.nodes[before];
            let large = channels * height * width >= CHAINED_LEN_MIN;
            if large && filters.window.stride != [1, 1] && self.link(before, live).is_some() {
                absorbed[before] = Some(absorbed[at].unwrap_or(at));
            }
        }
        absorbed
    }

    /// Filters and input of node `at`, if it may be a link of a chain.
    fn link(&self, at: NodeId, live: &[bool]) -> Option<(&Filters, &Vec<ChannelPlane>)> {
        match &self.nodes[at] {
            Node { operation: Operation::Convolution(filters), inputs, .. } => {
                (live[at] && !filters.depthwise && inputs.len() == 1).then_some((filters, &inputs[0]))
            }
            _ => None,
        }
    }

    /// Copies inputs into maps with margins, unless all their readers can do without.
    fn give_margins(&mut self, outputs: &mut [Vec<ChannelPlane>]) {
        let live = self.live(outputs);
        let mut needing = Vec::new();
        for (input, node) in self.nodes.iter().enumerate() {
            let needs_margin =
                self.nodes.iter().zip(&live).any(|(reader, live)| *live && reader.needs_margin(input));
            if matches!(node.operation, Operation::Input) && needs_margin {
                needing.push(input);
            }
        }
        // The last first, so that the numbers of the others stay.
        for input in needing.into_iter().rev() {
            let Node { name, channels, height, width, .. } = self.nodes[input].clone();
            let inputs = vec![self.whole(input)];
            let copy =
                Node { name: name + ".copy", operation: Operation::Copy, inputs, channels, height, width };
            self.insert(input + 1, input, copy, outputs);
        }
    }

    /// Inserts `copy` of `input` at `at`, and makes the others read it.
    fn insert(&mut self, at: NodeId, input: NodeId, copy: Node, outputs: &mut [Vec<ChannelPlane>]) {
        let read = self.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().flatten());
        for plane in read.chain(outputs.iter_mut().flatten()) {
            plane.node = match plane.node {
                node if node == input => at,
                node => node + usize::from(node >= at),
            };
        }
        self.nodes.insert(at, copy);
    }
}

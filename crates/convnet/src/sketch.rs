//! Graph of a network, built node by node, and its way to a [`Program`]: operations that can run together are fused.
//!
//! A value is a list of channel planes, each of them a channel of some node. So concatenation, slices of channels and channel
//! shuffles cost nothing: their readers get another list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pulp::Arch;

use super::activation::Activation;
use super::chain::Chain;
use super::convolution::{Convolution, Weights};
use super::depthwise::Depthwise;
use super::grid::Grid;
use super::planes::Combine;
use super::program::{Kernel, Program, Step, Stored};
use super::taps::Window;

/// Maximum width of the zeros around a map: a window that reaches further is left to another engine.
const MARGIN_MAX: usize = 4;

/// Minimum samples of a map that is never made whole: smaller ones stay in the cache anyway.
const CHAINED_LEN_MIN: usize = 128 << 10;

/// Index of a node in its sketch.
pub type NodeId = usize;

/// One channel of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plane {
    /// The node.
    pub node: NodeId,
    /// The channel's number in it.
    pub channel: usize,
}

/// Parameters of a convolution.
#[derive(Debug, Clone)]
pub struct Filters {
    /// Outputs by inputs by taps; channels by taps if `depthwise`.
    pub weights: Arc<[f32]>,
    /// One for each output.
    pub bias: Arc<[f32]>,
    /// Taps and steps.
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
struct Node {
    name: String,
    operation: Operation,
    inputs: Vec<Vec<Plane>>,
    channels: usize,
    height: usize,
    width: usize,
}

impl Node {
    /// Returns true if input number `at` may be a tensor without margin.
    fn reads_dense(&self, at: usize) -> bool {
        match &self.operation {
            Operation::Convolution(filters) => at == 0 && filters.window.stride != [1, 1],
            Operation::Combine(_) => false,
            Operation::Activate(_) => false,
            _ => true,
        }
    }
}

/// A graph: nodes in an order in which they can run.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    nodes: Vec<Node>,
}

/// Packed weights by the names of their nodes: the sizes of one network share them.
#[derive(Debug, Default)]
pub struct WeightCache(Mutex<HashMap<String, Arc<Weights>>>);

impl WeightCache {
    fn share(&self, name: &str, weights: Weights) -> Arc<Weights> {
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

impl Sketch {
    /// Adds a node of `channels` maps of `height` by `width`; `name` is for profiles.
    pub fn add(
        &mut self,
        name: &str,
        operation: Operation,
        inputs: Vec<Vec<Plane>>,
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

    /// Removes all nodes but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.nodes.truncate(len);
    }

    /// All channels of `node`.
    pub fn whole(&self, node: NodeId) -> Vec<Plane> {
        (0..self.nodes[node].channels).map(|channel| Plane { node, channel }).collect()
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
    pub fn inputs(&self, node: NodeId) -> &[Vec<Plane>] {
        &self.nodes[node].inputs
    }

    /// Returns the node that has `planes` as its whole output.
    pub fn whole_of(&self, planes: &[Plane]) -> Option<NodeId> {
        let node = planes.first()?.node;
        (planes == self.whole(node)).then_some(node)
    }

    /// Returns true if a map of this size can be convolved with this window.
    pub fn can_convolve(window: &Window, [height, width]: [usize; 2], out: [usize; 2]) -> bool {
        let grid = |[height, width]: [usize; 2]| Grid { height, width, margin: MARGIN_MAX };
        super::taps::Reading::of(window, &grid([height, width]), &grid(out)).is_some()
    }

    /// Compiles the program with these `outputs`. `None` if there is a node that no kernel can do.
    pub fn compile(mut self, arch: Arch, outputs: &[Vec<Plane>], cache: &WeightCache) -> Option<Program> {
        self.fuse(outputs);
        let mut outputs = outputs.to_vec();
        self.give_margins(&mut outputs);
        Emission::of(&self, &outputs, arch, cache).program()
    }

    /// Marks the nodes that the outputs depend on.
    fn live(&self, outputs: &[Vec<Plane>]) -> Vec<bool> {
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
    fn readers(&self, outputs: &[Vec<Plane>]) -> Vec<usize> {
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
    /// one's place, behind all its inputs. Example: `a = conv(x)`, `b = relu(a)`, `c = b + y` become one convolution `c` with
    /// `relu` and sum.
    fn fuse(&mut self, outputs: &[Vec<Plane>]) {
        let live = self.live(outputs);
        for at in (0..self.nodes.len()).filter(|at| live[*at]) {
            let readers = self.readers(outputs);
            let fusible = |node: NodeId| match &self.nodes[node] {
                Node { operation: Operation::Convolution(filters), inputs, .. } => {
                    (readers[node] == 1 && inputs.len() == 1).then_some((filters, &inputs[0]))
                }
                _ => None,
            };
            let node = &self.nodes[at];
            let fused = match node.operation {
                Operation::Activate(activation) => {
                    let before = self.whole_of(&node.inputs[0]).and_then(fusible);
                    let before = before.filter(|(filters, _)| filters.activation == Activation::NONE);
                    before.map(|(filters, input)| {
                        let filters = Filters { activation, ..filters.clone() };
                        (Operation::Convolution(filters), vec![input.clone()])
                    })
                }
                Operation::Combine(Combine::Add) => [1, 0].into_iter().find_map(|side| {
                    let added = &node.inputs[1 - side];
                    let same = self.size(added.first()?.node) == [node.height, node.width];
                    let (filters, input) =
                        self.whole_of(&node.inputs[side]).and_then(fusible).filter(|_| same)?;
                    Some((Operation::Convolution(filters.clone()), vec![input.clone(), added.clone()]))
                }),
                _ => None,
            };
            if let Some((operation, inputs)) = fused {
                let node = &mut self.nodes[at];
                (node.operation, node.inputs) = (operation, inputs);
            }
        }
    }

    /// Returns the last link of each node's chain; `None` for that link and outside chains. A chain consists of dense convolutions;
    /// the large output of each but the last is read by one convolution with a stride only.
    fn chains(&self, outputs: &[Vec<Plane>], live: &[bool]) -> Vec<Option<NodeId>> {
        let readers = self.readers(outputs);
        let link = |at: NodeId| match &self.nodes[at] {
            Node { operation: Operation::Convolution(filters), inputs, .. } => {
                (live[at] && !filters.depthwise && inputs.len() == 1).then_some((filters, &inputs[0]))
            }
            _ => None,
        };
        let mut absorbed = vec![None; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            let Some((filters, input)) = link(at) else { continue };
            let Some(before) = self.whole_of(input).filter(|before| readers[*before] == 1) else { continue };
            let Node { channels, height, width, .. } = self.nodes[before];
            let large = channels * height * width >= CHAINED_LEN_MIN;
            if large && filters.window.stride != [1, 1] && link(before).is_some() {
                absorbed[before] = Some(absorbed[at].unwrap_or(at));
            }
        }
        absorbed
    }

    /// Copies inputs into maps with margins, unless all their readers can do without.
    fn give_margins(&mut self, outputs: &mut [Vec<Plane>]) {
        let live = self.live(outputs);
        let reads = |node: &Node, input: NodeId| {
            let lists = node.inputs.iter().enumerate();
            lists
                .filter(|(_, list)| list.iter().any(|plane| plane.node == input))
                .any(|(at, _)| !node.reads_dense(at))
        };
        let is_input = |at: &NodeId| matches!(self.nodes[*at].operation, Operation::Input);
        let needing: Vec<NodeId> = (0..self.nodes.len())
            .filter(is_input)
            .filter(|input| self.nodes.iter().zip(&live).any(|(node, live)| *live && reads(node, *input)))
            .collect();
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
    fn insert(&mut self, at: NodeId, input: NodeId, copy: Node, outputs: &mut [Vec<Plane>]) {
        let moved = |plane: &mut Plane| {
            plane.node = match plane.node {
                node if node == input => at,
                node => node + usize::from(node >= at),
            };
        };
        self.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().flatten()).for_each(moved);
        outputs.iter_mut().flatten().for_each(moved);
        self.nodes.insert(at, copy);
    }
}

/// Code generation: a graph on its way to steps.
struct Emission<'a> {
    sketch: &'a Sketch,
    outputs: &'a [Vec<Plane>],
    arch: Arch,
    cache: &'a WeightCache,
    live: Vec<bool>,
    grids: Vec<Grid>,
    masks: HashMap<[usize; 2], Arc<[f32]>>,
    /// The last link of each node's chain, for all links but the last.
    absorbed: Vec<Option<NodeId>>,
    /// Place of each node's output.
    stored: Vec<Option<Stored>>,
    /// Grid and channels of each buffer, and the node after which it is free.
    buffers: Vec<(Grid, usize, NodeId)>,
}

impl<'a> Emission<'a> {
    fn of(sketch: &'a Sketch, outputs: &'a [Vec<Plane>], arch: Arch, cache: &'a WeightCache) -> Self {
        let live = sketch.live(outputs);
        let windows = sketch.nodes.iter().zip(&live).filter(|(_, live)| **live).map(|(node, _)| match &node
            .operation
        {
            Operation::Convolution(filters) => filters.window.margin(),
            _ => 1,
        });
        let margin = windows.max().unwrap_or(1).max(1);
        let grid = |node: &Node| match node.operation {
            Operation::Input => Grid::dense(node.height, node.width),
            _ => Grid { height: node.height, width: node.width, margin },
        };
        let grids = sketch.nodes.iter().map(grid).collect();
        let (stored, absorbed) = (vec![None; sketch.nodes.len()], sketch.chains(outputs, &live));
        Self {
            sketch,
            outputs,
            arch,
            cache,
            live,
            grids,
            masks: HashMap::new(),
            absorbed,
            stored,
            buffers: Vec::new(),
        }
    }

    fn program(mut self) -> Option<Program> {
        let mut steps = Vec::new();
        let mut inputs = 0;
        for (at, last_read) in self.last_reads().into_iter().enumerate() {
            let node = &self.sketch.nodes[at];
            if matches!(node.operation, Operation::Input) {
                self.stored[at] = Some(Stored::Input(inputs));
                inputs += 1;
            } else if self.live[at] && self.absorbed[at].is_none() {
                let links = self.links(at);
                let node = &self.sketch.nodes[at];
                let inputs = &self.sketch.nodes[links[0]].inputs;
                let buffer = self.buffer(at, last_read);
                self.stored[at] = Some(Stored::Buffer(buffer));
                let places = inputs.iter().map(|list| self.places(list)).collect::<Option<_>>()?;
                let input_grid = self.grids[inputs.last()?.first()?.node].clone();
                let output = self.grids[at].clone();
                let kernel = match &links[..] {
                    [only] => self.kernel(*only)?,
                    links => self.chain(links)?,
                };
                let name = node.name.clone();
                let channels = node.channels;
                steps.push(Step { name, kernel, inputs: places, input_grid, buffer, output, channels });
            }
        }
        let outputs = self.outputs.iter().map(|list| {
            let grid = self.grids[list.first()?.node].clone();
            Some((self.places(list)?, grid))
        });
        let outputs = outputs.collect::<Option<_>>()?;
        let lens = self.buffers.iter().map(|(grid, channels, _)| grid.plane_len() * channels).collect();
        Some(Program::new(self.arch, steps, outputs, lens))
    }

    /// The last node that reads each one; `NodeId::MAX` for outputs.
    fn last_reads(&self) -> Vec<NodeId> {
        let mut last = vec![0; self.sketch.nodes.len()];
        for (at, node) in self.sketch.nodes.iter().enumerate().filter(|(at, _)| self.live[*at]) {
            let read = self.absorbed[at].unwrap_or(at);
            node.inputs.iter().flatten().for_each(|plane| last[plane.node] = last[plane.node].max(read));
        }
        self.outputs.iter().flatten().for_each(|plane| last[plane.node] = NodeId::MAX);
        last
    }

    /// Finds a buffer for node `at`: a free one of the same grid, so that its margins stay zero for ever, or else a new one.
    fn buffer(&mut self, at: NodeId, last_read: NodeId) -> usize {
        let (grid, channels) = (&self.grids[at], self.sketch.nodes[at].channels);
        let free = |(buffer_grid, _, until): &(Grid, usize, NodeId)| buffer_grid == grid && *until < at;
        let best = (0..self.buffers.len())
            .filter(|buffer| free(&self.buffers[*buffer]))
            .min_by_key(|buffer| self.buffers[*buffer].1.abs_diff(channels));
        match best {
            Some(buffer) => {
                let (_, had, until) = &mut self.buffers[buffer];
                (*had, *until) = ((*had).max(channels), last_read);
                buffer
            }
            None => {
                self.buffers.push((grid.clone(), channels, last_read));
                self.buffers.len() - 1
            }
        }
    }

    fn places(&self, planes: &[Plane]) -> Option<Vec<(Stored, std::ops::Range<usize>)>> {
        let place = |plane: &Plane| {
            let len = self.grids[plane.node].plane_len();
            Some((self.stored[plane.node]?, plane.channel * len..(plane.channel + 1) * len))
        };
        planes.iter().map(place).collect()
    }

    /// The links of the chain that ends with node `at`, in order; usually it alone.
    fn links(&self, at: NodeId) -> Vec<NodeId> {
        (0..at).filter(|link| self.absorbed[*link] == Some(at)).chain([at]).collect()
    }

    fn chain(&mut self, links: &[NodeId]) -> Option<Kernel> {
        let convolution = |link: &NodeId| match self.kernel(*link)? {
            Kernel::Convolution(convolution) => Some(convolution),
            _ => None,
        };
        let links: Vec<_> = links.iter().map(convolution).collect::<Option<_>>()?;
        Chain::new(links).ok().map(Kernel::Chain)
    }

    fn mask(&mut self, grid: &Grid) -> Arc<[f32]> {
        Arc::clone(self.masks.entry([grid.height, grid.width]).or_insert_with(|| grid.mask().into()))
    }

    fn kernel(&mut self, at: NodeId) -> Option<Kernel> {
        let node = &self.sketch.nodes[at];
        let output = self.grids[at].clone();
        let mask = self.mask(&output);
        // All planes of a list have one grid.
        for list in &node.inputs {
            let grid = &self.grids[list.first()?.node];
            if list.iter().any(|plane| self.grids[plane.node] != *grid) {
                return None;
            }
        }
        Some(match &node.operation {
            Operation::Input => return None,
            Operation::Convolution(filters) => {
                let input = self.grids[node.inputs[0].first()?.node].clone();
                let Filters { weights, bias, window, activation, .. } = filters;
                if filters.depthwise {
                    let weights = (Arc::clone(weights), Arc::clone(bias));
                    Kernel::Depthwise(Depthwise::new(weights, window, *activation, input, output, mask)?)
                } else {
                    let packed = Weights::pack(self.arch, weights, bias, window.taps());
                    let packed = self.cache.share(&node.name, packed);
                    Kernel::Convolution(Convolution::new(packed, window, *activation, input, output, mask)?)
                }
            }
            Operation::Activate(activation) => Kernel::Activate(*activation, mask),
            Operation::Combine(combine) => Kernel::Combine(*combine, mask),
            Operation::Upsample(scale) => Kernel::Upsample(*scale),
            Operation::UpsampleLinear(scale) => Kernel::UpsampleLinear(*scale),
            Operation::Pick { step, offset } => Kernel::Pick { step: *step, offset: *offset },
            Operation::Average => Kernel::Average,
            Operation::PoolMax(window) => Kernel::PoolMax(window.clone()),
            Operation::Copy => Kernel::Copy,
        })
    }
}

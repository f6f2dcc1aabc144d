//! Code generation: the steps of a [`Program`] and the buffers that they write, from a graph whose operations are fused.

use std::collections::HashMap;
use std::sync::Arc;

use pulp::Arch;

use super::chain::Chain;
use super::convolution::{Convolution, Weights};
use super::depthwise::Depthwise;
use super::graph::{ChannelPlane, Filters, Graph, Node, NodeId, Operation, WeightCache};
use super::grid::Grid;
use super::program::{Kernel, Places, Program, Step, Stored};

/// A graph on its way to steps.
pub(super) struct CodeGenerator<'a> {
    graph: &'a Graph,
    outputs: &'a [Vec<ChannelPlane>],
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

impl<'a> CodeGenerator<'a> {
    pub fn new(
        graph: &'a Graph,
        outputs: &'a [Vec<ChannelPlane>],
        arch: Arch,
        cache: &'a WeightCache,
    ) -> Self {
        let live = graph.live(outputs);
        let mut margin = 1;
        for (node, _) in graph.nodes.iter().zip(&live).filter(|(_, live)| **live) {
            if let Operation::Convolution(filters) = &node.operation {
                margin = margin.max(filters.window.margin());
            }
        }
        let grids = graph.nodes.iter().map(|node| grid(node, margin)).collect();
        let (stored, absorbed) = (vec![None; graph.nodes.len()], graph.chains(outputs, &live));
        Self {
            graph,
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

    /// Makes the program. `None` if there is a node that no kernel can do.
    pub fn program(mut self) -> Option<Program> {
        let mut steps = Vec::new();
        let mut inputs = 0;
        for (at, last_read) in self.last_reads().into_iter().enumerate() {
            let node = &self.graph.nodes[at];
            if matches!(node.operation, Operation::Input) {
                self.stored[at] = Some(Stored::Input(inputs));
                inputs += 1;
            } else if self.live[at] && self.absorbed[at].is_none() {
                let links = self.links(at);
                let node = &self.graph.nodes[at];
                let inputs = &self.graph.nodes[links[0]].inputs;
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
        let mut last = vec![0; self.graph.nodes.len()];
        for (at, node) in self.graph.nodes.iter().enumerate().filter(|(at, _)| self.live[*at]) {
            let read = self.absorbed[at].unwrap_or(at);
            node.inputs.iter().flatten().for_each(|plane| last[plane.node] = last[plane.node].max(read));
        }
        self.outputs.iter().flatten().for_each(|plane| last[plane.node] = NodeId::MAX);
        last
    }

    /// Finds a buffer for node `at`: a free one of the same grid, so that its margins stay zero for ever, or else a new one.
    fn buffer(&mut self, at: NodeId, last_read: NodeId) -> usize {
        let (grid, channels) = (&self.grids[at], self.graph.nodes[at].channels);
        let buffers = self.buffers.iter().enumerate();
        let best = buffers
            .filter(|(_, (buffer_grid, _, until))| buffer_grid == grid && *until < at)
            .min_by_key(|(_, (_, buffer_channels, _))| buffer_channels.abs_diff(channels));
        match best {
            Some((buffer, _)) => {
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

    fn places(&self, planes: &[ChannelPlane]) -> Option<Places> {
        let mut places = Vec::with_capacity(planes.len());
        for plane in planes {
            let len = self.grids[plane.node].plane_len();
            places.push((self.stored[plane.node]?, plane.channel * len..(plane.channel + 1) * len));
        }
        Some(places)
    }

    /// The links of the chain that ends with node `at`, in order; usually it alone.
    fn links(&self, at: NodeId) -> Vec<NodeId> {
        (0..at).filter(|link| self.absorbed[*link] == Some(at)).chain([at]).collect()
    }

    fn chain(&mut self, links: &[NodeId]) -> Option<Kernel> {
        let mut convolutions = Vec::with_capacity(links.len());
        for link in links {
            let Kernel::Convolution(convolution) = self.kernel(*link)? else { return None };
            convolutions.push(convolution);
        }
        Chain::new(convolutions).ok().map(Kernel::Chain)
    }

    fn mask(&mut self, grid: &Grid) -> Arc<[f32]> {
        Arc::clone(self.masks.entry([grid.height, grid.width]).or_insert_with(|| grid.mask().into()))
    }

    fn kernel(&mut self, at: NodeId) -> Option<Kernel> {
        let node = &self.graph.nodes[at];
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
                    let packed = Weights::pack(self.arch, weights, bias, window.kernel_len());
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

/// The grid of a node's output: dense for tensors from outside, with the program's margin for all others.
fn grid(node: &Node, margin: usize) -> Grid {
    match node.operation {
        Operation::Input => Grid::dense(node.height, node.width),
        _ => Grid { height: node.height, width: node.width, margin },
    }
}

//! Kernels and fused programs against the definition of what they compute, on every instruction set of this machine.

use proptest::prelude::*;
use pulp::Arch;

use super::*;

/// Instruction sets that this machine can run.
fn archs() -> Vec<Arch> {
    #[cfg(target_arch = "x86_64")]
    let older = pulp::x86::V3::try_new().map(Arch::V3);
    #[cfg(not(target_arch = "x86_64"))]
    let older = None;
    [Arch::Scalar, Arch::new()].into_iter().chain(older).collect()
}

/// Maps of one value, dense.
#[derive(Debug, Clone)]
struct Maps {
    shape: [usize; 3],
    values: Vec<f32>,
}

impl Maps {
    fn random(shape: [usize; 3], seed: u64) -> Self {
        Self { shape, values: random(shape.iter().product(), seed) }
    }

    /// Zero outside.
    fn at(&self, channel: usize, y: isize, x: isize) -> f32 {
        let [_, height, width] = self.shape;
        match (usize::try_from(y), usize::try_from(x)) {
            (Ok(y), Ok(x)) if y < height && x < width => self.values[(channel * height + y) * width + x],
            _ => 0.0,
        }
    }

    fn map(&self, function: impl Fn(f32) -> f32) -> Self {
        Self { shape: self.shape, values: self.values.iter().map(|x| function(*x)).collect() }
    }

    fn with(&self, other: &Self, function: impl Fn(f32, f32) -> f32) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(a, b)| function(*a, *b)).collect();
        Self { shape: self.shape, values }
    }
}

/// Values from -1 to 1, by a linear congruence.
fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn convolved(from: &Maps, filters: &Filters) -> Maps {
    let Filters { weights, bias, window, depthwise, activation } = filters;
    let ([channels, height, width], [rows, columns]) = (from.shape, window.kernel);
    let side = |axis: usize, len: usize| {
        (len + 2 * window.before[axis] - window.kernel[axis]) / window.stride[axis] + 1
    };
    let (height, width) = (side(0, height), side(1, width));
    let inputs = if *depthwise { 1 } else { channels };
    let mut values = Vec::new();
    for output in 0..bias.len() {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let mut sum = f64::from(bias[output]);
            for input in 0..inputs {
                for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                    let at_y = (y * window.stride[0] + row) as isize - window.before[0] as isize;
                    let at_x = (x * window.stride[1] + column) as isize - window.before[1] as isize;
                    let weight = weights[((output * inputs + input) * rows + row) * columns + column];
                    let channel = if *depthwise { output } else { input };
                    sum += f64::from(weight) * f64::from(from.at(channel, at_y, at_x));
                }
            }
            values.push(scalar(*activation, sum as f32));
        }
    }
    Maps { shape: [bias.len(), height, width], values }
}

fn scalar(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Clamp { low, high } => x.max(low).min(high),
        Activation::Leaky { slope } => x.max(0.0) + slope * x.min(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Ramp { gain, offset, low, high, times_x, scale } => {
            (gain * x + offset).max(low).min(high) * scale * if times_x { x } else { 1.0 }
        }
    }
}

const HARD_SWISH: Activation =
    Activation::Ramp { gain: 1.0, offset: 3.0, low: 0.0, high: 6.0, times_x: true, scale: 1.0 / 6.0 };

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::NONE),
        Just(Activation::Clamp { low: 0.0, high: f32::INFINITY }),
        Just(Activation::Clamp { low: 0.0, high: 0.5 }),
        Just(Activation::Leaky { slope: 0.1 }),
        Just(Activation::Sigmoid),
        Just(Activation::Silu),
        Just(HARD_SWISH),
    ]
}

prop_compose! {
    /// A window that keeps the middle of its kernel on the map, as trained networks have it.
    fn windows()(half in 0usize..4, steps in 1usize..4, flat in any::<bool>(), uneven in any::<bool>()) -> Window {
        let kernel = [2 * half + 1, if flat { 1 } else { 2 * half + 1 }];
        let stride = [steps, if uneven { 1 } else { steps }];
        Window { kernel, stride, before: kernel.map(|side| side / 2) }
    }
}

fn filters(
    window: Window,
    channels: usize,
    outputs: usize,
    depthwise: bool,
    activation: Activation,
    seed: u64,
) -> Filters {
    let (inputs, outputs) = if depthwise { (1, channels) } else { (channels, outputs) };
    let weights = random(outputs * inputs * window.kernel_len(), seed).into();
    Filters { weights, bias: random(outputs, seed + 1).into(), window, depthwise, activation }
}

/// Runs twice, so that the first run's values are still in the arena, and returns the second run's outputs.
fn outputs_of(graph: &Graph, arch: Arch, outputs: &[Vec<ChannelPlane>], inputs: &[&Maps]) -> Vec<Vec<f32>> {
    let program = graph.clone().compile(arch, outputs, &WeightCache::default()).unwrap();
    let mut arena = program.arena();
    let noise: Vec<Vec<f32>> = inputs.iter().map(|maps| random(maps.values.len(), 99)).collect();
    program.run(&mut arena, &noise.iter().map(|values| &values[..]).collect::<Vec<_>>());
    let inputs: Vec<&[f32]> = inputs.iter().map(|maps| &maps.values[..]).collect();
    program.run(&mut arena, &inputs);
    let output = |(at, planes): (usize, &Vec<ChannelPlane>)| {
        let [height, width] = graph.size(planes[0].node);
        let mut tensor = vec![f32::NAN; planes.len() * height * width];
        program.output(at, &arena, &inputs, &mut tensor);
        tensor
    };
    outputs.iter().enumerate().map(output).collect()
}

fn assert_close(found: &[f32], expected: &Maps, what: &str) {
    assert_eq!(found.len(), expected.values.len(), "{what}");
    for (found, expected) in found.iter().zip(&expected.values) {
        assert!((found - expected).abs() <= 1e-4 * (1.0 + expected.abs()), "{what}: {found} for {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_convolution_is_what_its_definition_says(
        (channels, outputs, height, width) in (1usize..20, 1usize..20, 1usize..30, 1usize..60),
        (window, depthwise, activation, added) in (windows(), any::<bool>(), activations(), any::<bool>()),
        seed in 0u64..1000,
    ) {
        let filters = filters(window, channels, outputs, depthwise, activation, seed);
        let input = Maps::random([channels, height, width], seed + 2);
        let mut expected = convolved(&input, &filters);
        let [_, out_height, out_width] = expected.shape;
        prop_assert!(Graph::can_convolve(&filters.window, [height, width], [out_height, out_width]));
        let mut graph = Graph::default();
        let from = graph.add("input", Operation::Input, vec![], input.shape);
        let reads = vec![graph.whole(from)];
        let mut last = graph.add("convolution", Operation::Convolution(filters), reads, expected.shape);
        let other = Maps::random(expected.shape, seed + 3);
        let mut inputs = vec![&input];
        if added {
            let right = graph.add("other", Operation::Input, vec![], other.shape);
            let sides = vec![graph.whole(right), graph.whole(last)];
            last = graph.add("sum", Operation::Combine(Combine::Add), sides, expected.shape);
            expected = expected.with(&other, |a, b| a + b);
            inputs.push(&other);
        }
        for arch in archs() {
            let found = outputs_of(&graph, arch, &[graph.whole(last)], &inputs);
            assert_close(&found[0], &expected, &format!("{arch:?}"));
        }
    }

    /// All other operations, and values that are read in parts, together and in another order.
    #[test]
    fn what_is_done_to_planes_is_what_its_definition_says(
        (channels, height, width) in (1usize..6, 1usize..20, 1usize..40),
        (scale, kernel, step, activation) in (1usize..4, 0usize..4, 1usize..3, activations()),
        seed in 0u64..1000,
    ) {
        let shape = [channels, height, width];
        let (first, second) = (Maps::random(shape, seed), Maps::random(shape, seed + 1));
        let factor = Maps::random([channels, 1, 1], seed + 2);
        let kernel = [2 * kernel + 1; 2];
        let window = Window { kernel, stride: [step; 2], before: kernel.map(|side| side / 2) };
        let mut graph = Graph::default();
        let input = |graph: &mut Graph, shape| {
            let node = graph.add("input", Operation::Input, vec![], shape);
            graph.whole(node)
        };
        let (a, b, c) = (input(&mut graph, shape), input(&mut graph, shape), input(&mut graph, factor.shape));
        let pooled = [channels, height.div_ceil(step), width.div_ceil(step)];
        let picked = [channels, height / step, width.div_ceil(step + 1)];
        prop_assume!(picked[1] > 0);
        let nodes = [
            (Operation::Activate(activation), vec![a.clone()], shape),
            (Operation::Combine(Combine::Add), vec![a.clone(), b.clone()], shape),
            (Operation::Combine(Combine::Multiply), vec![a.clone(), c.clone()], shape),
            (Operation::Combine(Combine::Add), vec![a.clone(), c.clone()], shape),
            (Operation::Upsample([scale, scale + 1]), vec![b.clone()], [channels, height * scale, width * (scale + 1)]),
            (Operation::Average, vec![b.clone()], [channels, 1, 1]),
            (Operation::PoolMax(window.clone()), vec![a.clone()], pooled),
            (Operation::UpsampleLinear([scale, scale + 1]), vec![b.clone()], [channels, height * scale, width * (scale + 1)]),
            (Operation::Pick { step: [step, step + 1], offset: [step - 1, 0] }, vec![b.clone()], picked),
        ];
        let nodes = nodes.map(|(operation, inputs, shape)| graph.add("node", operation, inputs, shape));
        let mut outputs: Vec<Vec<ChannelPlane>> = nodes.iter().map(|node| graph.whole(*node)).collect();
        // Channels of two values, in reverse.
        outputs.push(graph.whole(nodes[0]).into_iter().chain(graph.whole(nodes[1])).rev().collect());
        let plane = |at: usize| at / (height * width);
        let by_factor = |function: fn(f32, f32) -> f32| Maps {
            shape,
            values: first.values.iter().enumerate().map(|(at, x)| function(*x, factor.values[plane(at)])).collect(),
        };
        let spread = |maps: &Maps, shape: [usize; 3], value: &dyn Fn(&Maps, usize, usize, usize) -> f32| {
            let [channels, height, width] = shape;
            let places = (0..channels).flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| (c, y, x))));
            Maps { shape, values: places.map(|(c, y, x)| value(maps, c, y, x)).collect() }
        };
        let active = first.map(|x| scalar(activation, x));
        let sum = first.with(&second, |a, b| a + b);
        let repeated = spread(&second, [channels, height * scale, width * (scale + 1)], &|maps, c, y, x| {
            maps.at(c, (y / scale) as isize, (x / (scale + 1)) as isize)
        });
        let mean = spread(&second, [channels, 1, 1], &|maps, c, _, _| {
            let sum: f64 = maps.values.iter().enumerate().filter(|(at, _)| plane(*at) == c).map(|(_, x)| f64::from(*x)).sum();
            (sum / (height * width) as f64) as f32
        });
        let greatest = spread(&first, pooled, &|maps, c, y, x| {
            let reach = |at: usize, axis: usize, len: usize| {
                let from = (at * step).saturating_sub(window.before[axis]);
                from..(at * step + window.before[axis] + 1).min(len)
            };
            let under = reach(y, 0, height).flat_map(|y| reach(x, 1, width).map(move |x| (y as isize, x as isize)));
            under.map(|(y, x)| maps.at(c, y, x)).fold(f32::NEG_INFINITY, f32::max)
        });
        let lines = spread(&second, repeated.shape, &|maps, c, y, x| {
            let middle = |at: usize, scale: usize, len: usize| {
                let place = ((at as f64 + 0.5) / scale as f64 - 0.5).clamp(0.0, (len - 1) as f64);
                (place as usize, (place as usize + 1).min(len - 1), place.fract())
            };
            let ((top, bottom, down), (left, right, across)) = (middle(y, scale, height), middle(x, scale + 1, width));
            let at = |y: usize, x: usize| f64::from(maps.at(c, y as isize, x as isize));
            let row = |y: usize| at(y, left) * (1.0 - across) + at(y, right) * across;
            (row(top) * (1.0 - down) + row(bottom) * down) as f32
        });
        let every = spread(&second, picked, &|maps, c, y, x| {
            maps.at(c, (y * step + step - 1) as isize, (x * (step + 1)) as isize)
        });
        let reversed: Vec<f32> = sum.values.chunks_exact(height * width).rev()
            .chain(active.values.chunks_exact(height * width).rev()).flatten().copied().collect();
        let reversed = Maps { shape: [2 * channels, height, width], values: reversed };
        let expected =
            [active, sum, by_factor(|a, b| a * b), by_factor(|a, b| a + b), repeated, mean, greatest, lines, every, reversed];
        for arch in archs() {
            let found = outputs_of(&graph, arch, &outputs, &[&first, &second, &factor]);
            for ((at, found), expected) in found.iter().enumerate().zip(&expected) {
                assert_close(found, expected, &format!("{arch:?}, output {at}"));
            }
        }
    }
}

/// More than one row band, and a convolution that reads channels of two values.
#[test]
fn bands_join_without_a_seam() {
    let window = Window { kernel: [3, 3], stride: [2, 2], before: [1, 1] };
    let filters = filters(window, 40, 9, false, Activation::Silu, 3);
    let (left, right) = (Maps::random([24, 90, 130], 1), Maps::random([16, 90, 130], 2));
    let both = Maps { shape: [40, 90, 130], values: [&left.values[..], &right.values[..]].concat() };
    let expected = convolved(&both, &filters);
    let mut graph = Graph::default();
    let nodes = [left.shape, right.shape].map(|shape| graph.add("input", Operation::Input, vec![], shape));
    let reads = vec![nodes.iter().flat_map(|node| graph.whole(*node)).collect()];
    let last = graph.add("convolution", Operation::Convolution(filters), reads, expected.shape);
    for arch in archs() {
        let found = outputs_of(&graph, arch, &[graph.whole(last)], &[&left, &right]);
        assert_close(&found[0], &expected, &format!("{arch:?}"));
    }
}

/// Three convolutions whose maps are large enough to be made by row bands, the last of them of few rows.
#[test]
fn a_chain_is_its_links_one_after_the_other() {
    let input = Maps::random([3, 211, 190], 1);
    let window =
        |side: usize, step: usize| Window { kernel: [side; 2], stride: [step; 2], before: [side / 2; 2] };
    let links = [
        filters(window(3, 1), 3, 9, false, Activation::Clamp { low: 0.0, high: 6.0 }, 2),
        filters(window(5, 2), 9, 20, false, Activation::Silu, 3),
        filters(window(3, 2), 20, 7, false, Activation::NONE, 4),
    ];
    let mut graph = Graph::default();
    let mut last = graph.add("input", Operation::Input, vec![], input.shape);
    let mut expected = input.clone();
    for link in links {
        expected = convolved(&expected, &link);
        let reads = vec![graph.whole(last)];
        last = graph.add("link", Operation::Convolution(link), reads, expected.shape);
    }
    let output = [graph.whole(last)];
    let program = graph.clone().compile(Arch::new(), &output, &WeightCache::default()).unwrap();
    let mut kinds = Vec::new();
    let mut note = |_: &str, kind: &'static str, _| kinds.push(kind);
    program.run_timed(&mut program.arena(), &[&input.values], &Default::default, &mut note);
    assert_eq!(kinds, ["copy", "convolutions"]);
    for arch in archs() {
        let found = outputs_of(&graph, arch, &output, &[&input]);
        assert_close(&found[0], &expected, &format!("{arch:?}"));
    }
}

/// A node that others still read is not fused away, and buffers that were used before do no harm.
#[test]
fn a_residual_block_is_the_sum_of_its_parts() {
    let window = |side: usize| Window { kernel: [side; 2], stride: [1; 2], before: [side / 2; 2] };
    let first = filters(window(3), 6, 6, false, Activation::NONE, 5);
    let second = filters(window(5), 6, 6, true, Activation::NONE, 6);
    let input = Maps::random([6, 13, 21], 7);
    let mut graph = Graph::default();
    let shape = input.shape;
    let from = graph.add("input", Operation::Input, vec![], shape);
    let mut step = |operation, inputs: &[NodeId]| {
        let inputs = inputs.iter().map(|node| graph.whole(*node)).collect();
        graph.add("node", operation, inputs, shape)
    };
    let a = step(Operation::Convolution(first.clone()), &[from]);
    let b = step(Operation::Activate(HARD_SWISH), &[a]);
    let c = step(Operation::Convolution(second.clone()), &[b]);
    let d = step(Operation::Activate(Activation::Silu), &[c]);
    let e = step(Operation::Combine(Combine::Add), &[d, b]);
    let f = step(Operation::Combine(Combine::Multiply), &[e, a]);
    let plain = convolved(&input, &first);
    let swish = plain.map(|x| scalar(HARD_SWISH, x));
    let sum = convolved(&swish, &second).map(|x| scalar(Activation::Silu, x)).with(&swish, |a, b| a + b);
    let product = sum.with(&plain, |a, b| a * b);
    for arch in archs() {
        let found = outputs_of(&graph, arch, &[graph.whole(f), graph.whole(e)], &[&input]);
        assert_close(&found[0], &product, &format!("{arch:?}, product"));
        assert_close(&found[1], &sum, &format!("{arch:?}, sum"));
    }
}

#[test]
fn activations_are_exact_to_a_millionth_over_the_whole_range() {
    for activation in [Activation::Sigmoid, Activation::Silu, HARD_SWISH, Activation::Leaky { slope: 0.1 }] {
        let values: Vec<f32> = (-2000..=2000).map(|at| at as f32 / 20.0).collect();
        let input = Maps { shape: [1, 1, values.len()], values };
        let mut graph = Graph::default();
        let from = graph.add("input", Operation::Input, vec![], input.shape);
        let reads = vec![graph.whole(from)];
        let last = graph.add("function", Operation::Activate(activation), reads, input.shape);
        for arch in archs() {
            let found = &outputs_of(&graph, arch, &[graph.whole(last)], &[&input])[0];
            for (x, found) in input.values.iter().zip(found) {
                let expected = scalar(activation, *x);
                assert!(
                    (found - expected).abs() <= 1e-6 * (1.0 + expected.abs()),
                    "{activation:?} of {x}: {found}"
                );
            }
        }
    }
}

//! Speed of each kernel on one core, in GMAC/s (billions of multiplications with addition per second), beside the processor's peak.
//!
//! The peak is measured: multiplications with addition that stay in registers. The time of a kernel is that of its fastest run
//! among many, since other programs can only make a run slower.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use convnet::{Activation, Arch, ChannelPlane, Combine, Filters, Graph, Operation, WeightCache, Window};
use pulp::{Simd, WithSimd};

/// Time for the runs of one kernel.
const TIME_PER_KERNEL: Duration = Duration::from_millis(500);

/// Vectors that are summed at once for the peak: more than latency times units of any processor, fewer than 16 registers.
const PEAK_SUMS: usize = 12;

/// Rounds of one measurement of the peak.
const PEAK_ROUNDS: usize = 1 << 20;

/// Input values: the tensors' sizes stay below it.
const INPUT_LEN_MAX: usize = 1 << 21;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let arch = Arch::new();
    let (peak, lanes) = peak(arch);
    writeln!(out, "{lanes} lanes of f32, peak {peak:.1} GMAC/s")?;
    writeln!(out, "{:<44} {:>9} {:>9} {:>6}", "kernel", "ms", "GMAC/s", "peak")?;
    for case in cases() {
        let seconds = case.fastest(arch).as_secs_f64();
        let speed = case.macs as f64 / seconds / 1e9;
        let share = 100.0 * speed / peak;
        writeln!(out, "{:<44} {:>9.3} {speed:>9.1} {share:>5.0}%", case.name, 1e3 * seconds)?;
    }
    Ok(())
}

/// Multiplications with addition per second that this core can do, in GMAC/s, and the lanes of its vectors.
fn peak(arch: Arch) -> (f64, usize) {
    let mut fastest = f64::INFINITY;
    let mut lanes = 1;
    let begun = Instant::now();
    while begun.elapsed() < TIME_PER_KERNEL {
        let run = Instant::now();
        lanes = arch.dispatch(Peak);
        fastest = fastest.min(run.elapsed().as_secs_f64());
    }
    ((lanes * PEAK_SUMS * PEAK_ROUNDS) as f64 / fastest / 1e9, lanes)
}

/// One measurement of the peak; returns the lanes of a vector.
struct Peak;

impl WithSimd for Peak {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let (factor, summand) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(0.5)));
        let one = simd.splat_f32s(black_box(1.0));
        // Variables of their own, so that they are registers whatever the optimiser decides.
        let (mut a, mut b, mut c, mut d, mut e, mut f) = (one, one, one, one, one, one);
        let (mut g, mut h, mut i, mut j, mut k, mut l) = (one, one, one, one, one, one);
        for _ in 0..PEAK_ROUNDS {
            a = simd.mul_add_f32s(a, factor, summand);
            b = simd.mul_add_f32s(b, factor, summand);
            c = simd.mul_add_f32s(c, factor, summand);
            d = simd.mul_add_f32s(d, factor, summand);
            e = simd.mul_add_f32s(e, factor, summand);
            f = simd.mul_add_f32s(f, factor, summand);
            g = simd.mul_add_f32s(g, factor, summand);
            h = simd.mul_add_f32s(h, factor, summand);
            i = simd.mul_add_f32s(i, factor, summand);
            j = simd.mul_add_f32s(j, factor, summand);
            k = simd.mul_add_f32s(k, factor, summand);
            l = simd.mul_add_f32s(l, factor, summand);
        }
        for sum in [a, b, c, d, e, f, g, h, i, j, k, l] {
            black_box(simd.reduce_sum_f32s(sum));
        }
        S::F32_LANES
    }
}

/// A graph of one kernel, or of a chain of convolutions.
struct Case {
    name: &'static str,
    graph: Graph,
    outputs: Vec<Vec<ChannelPlane>>,
    inputs: Vec<usize>,
    /// Multiplications with addition of one run.
    macs: usize,
}

impl Case {
    fn new(name: &'static str) -> Self {
        Self { name, graph: Graph::default(), outputs: Vec::new(), inputs: Vec::new(), macs: 0 }
    }

    /// Adds an input of this shape (channels, rows, columns).
    fn input(&mut self, shape: [usize; 3]) -> Vec<ChannelPlane> {
        self.inputs.push(shape.iter().product());
        let node = self.graph.add("input", Operation::Input, Vec::new(), shape);
        self.graph.whole(node)
    }

    /// Adds a convolution to `outputs` channels with a square kernel, which keeps the size of the map but for the stride.
    fn convolution(
        &mut self,
        from: &[ChannelPlane],
        outputs: usize,
        side: usize,
        stride: usize,
        depthwise: bool,
    ) {
        let [height, width] = self.graph.size(from[0].node).map(|len| len.div_ceil(stride));
        let inputs = if depthwise { 1 } else { from.len() };
        let weights = (0..outputs * inputs * side * side).map(|at| (at % 17) as f32 / 170.0 - 0.05).collect();
        let filters = Filters {
            weights,
            bias: vec![0.1; outputs].into(),
            window: Window { kernel: [side; 2], stride: [stride; 2], before: [side / 2; 2] },
            depthwise,
            activation: Activation::Clamp { low: 0.0, high: f32::INFINITY },
        };
        self.macs += outputs * inputs * side * side * height * width;
        let operation = Operation::Convolution(filters);
        let node = self.graph.add("convolution", operation, vec![from.to_vec()], [outputs, height, width]);
        self.outputs = vec![self.graph.whole(node)];
    }

    /// The time of the fastest run, without the copy of inputs into maps with margins.
    fn fastest(&self, arch: Arch) -> Duration {
        let values: Vec<f32> = (0..INPUT_LEN_MAX).map(|at| (at % 251) as f32 / 251.0 - 0.5).collect();
        let inputs: Vec<&[f32]> = self.inputs.iter().map(|len| &values[..*len]).collect();
        let program = self.graph.clone().compile(arch, &self.outputs, &WeightCache::default());
        let Some(program) = program else { return Duration::ZERO };
        let mut arena = program.arena();
        let (begun, mut fastest) = (Instant::now(), Duration::MAX);
        while begun.elapsed() < TIME_PER_KERNEL {
            let mut spent = Duration::ZERO;
            program.run_timed(&mut arena, &inputs, &|| begun.elapsed(), &mut |_, kind, time| {
                spent += if kind == "copy" { Duration::ZERO } else { time };
            });
            fastest = fastest.min(spent);
        }
        fastest
    }
}

/// Kernels at sizes that the networks of roadside cameras have.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, [channels, height, width], outputs, side, stride, depthwise) in [
        ("convolution 3x3, 64 to 64 channels, 48x80", [64, 48, 80], 64, 3, 1, false),
        ("convolution 1x1, 96 to 96 channels, 24x40", [96, 24, 40], 96, 1, 1, false),
        ("convolution 1x1, 192 to 192 channels, 12x20", [192, 12, 20], 192, 1, 1, false),
        ("convolution 3x3 stride 2, 3 to 16, 384x640", [3, 384, 640], 16, 3, 2, false),
        ("convolution 3x3 stride 2, 32 to 64, 96x160", [32, 96, 160], 64, 3, 2, false),
        ("depthwise 3x3, 96 channels, 48x80", [96, 48, 80], 96, 3, 1, true),
        ("depthwise 5x5, 96 channels, 48x80", [96, 48, 80], 96, 5, 1, true),
        ("depthwise 3x3 stride 2, 96 channels, 48x80", [96, 48, 80], 96, 3, 2, true),
    ] {
        let mut case = Case::new(name);
        let from = case.input([channels, height, width]);
        case.convolution(&from, outputs, side, stride, depthwise);
        cases.push(case);
    }
    let mut chain = Case::new("chain of 3x3, both stride 2, 3 to 24 to 32, 384x640");
    let from = chain.input([3, 384, 640]);
    chain.convolution(&from, 24, 3, 2, false);
    let from = chain.outputs.concat();
    chain.convolution(&from, 32, 3, 2, false);
    cases.push(chain);
    let mut residual = Case::new("convolution 1x1 with a sum, 96 to 96, 24x40");
    let from = residual.input([96, 24, 40]);
    let added = residual.input([96, 24, 40]);
    residual.convolution(&from, 96, 1, 1, false);
    let sides = vec![residual.outputs.concat(), added];
    let sum = residual.graph.add("sum", Operation::Combine(Combine::Add), sides, [96, 24, 40]);
    residual.outputs = vec![residual.graph.whole(sum)];
    cases.push(residual);
    cases
}

//! A fused operator: a part of a network that the product's own kernels run, as one operator of tract's graph.

use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

use convnet::{Arena, Program};

/// Runs a [`Program`]. Runs at the same time have an arena each, which stays for the next.
#[derive(Debug, Clone)]
pub(super) struct FusedOperator {
    program: Arc<Program>,
    shapes: Vec<Vec<usize>>,
    arenas: Arc<Mutex<Vec<Arena>>>,
}

impl FusedOperator {
    /// `shapes` are those of the program's outputs.
    pub fn new(program: Program, shapes: Vec<Vec<usize>>) -> Self {
        Self { program: Arc::new(program), shapes, arenas: Arc::default() }
    }

    /// Computes the outputs for `inputs`; `run` has the program run in an arena.
    pub fn run(
        &self,
        inputs: &[TValue],
        run: impl FnOnce(&Program, &mut Arena, &[&[f32]]),
    ) -> TractResult<TVec<TValue>> {
        let inputs = inputs.iter().map(|input| input.try_as_plain_ram()?.as_slice::<f32>());
        let inputs: Vec<&[f32]> = inputs.collect::<TractResult<_>>()?;
        let free = self.arenas.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut arena = free.unwrap_or_else(|| self.program.arena());
        run(&self.program, &mut arena, &inputs);
        let mut outputs = TVec::new();
        for (at, shape) in self.shapes.iter().enumerate() {
            let mut tensor = Tensor::zero::<f32>(shape)?;
            let mut view = tensor.try_as_plain_ram_mut()?;
            self.program.output(at, &arena, &inputs, view.as_slice_mut::<f32>()?);
            outputs.push(tensor.into());
        }
        self.arenas.lock().unwrap_or_else(PoisonError::into_inner).push(arena);
        Ok(outputs)
    }
}

/// Fused operators are equal if they share one program.
impl PartialEq for FusedOperator {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
    }
}

impl Eq for FusedOperator {}

impl Op for FusedOperator {
    fn name(&self) -> StaticName {
        "fused operator".into()
    }

    op_as_typed_op!();
}

impl EvalOp for FusedOperator {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.run(&inputs, Program::run)
    }
}

impl TypedOp for FusedOperator {
    as_op!();

    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(self.shapes.iter().map(f32::fact).collect())
    }
}

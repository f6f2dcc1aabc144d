//! Small YOLOX-like networks, node by node, in the ways in which exporters write them.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, attribute_proto, type_proto,
};
use tract_onnx::prelude::f16;

/// A network's special feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: no number of it depends on its input's size.
    Free,
    /// Reshapes to stated numbers of cells.
    Flat,
    /// Channels shuffled as ShuffleNet does.
    Shuffle,
    /// Channels shuffled as FastestDet does, by way of the product of rows and columns.
    ShuffleFlat,
    /// The coarse map upsampled to a stated size.
    ResizeTo,
    /// Levels split at stated lengths.
    SplitLevels,
    /// Levels sliced at stated bounds.
    SliceLevels,
    /// Rows and columns subsampled by slices that state their end.
    Focus,
    /// A constant for each cell.
    Grid,
    /// A part of the map is cut out.
    Crop,
    /// The same by attributes, as before operator set 10.
    CropAttribute,
    /// Boxes in pixels.
    Decoded,
    /// Boxes in parts of the input.
    DecodedParts,
    /// Corners in pixels.
    DecodedCorners,
    /// Without sigmoids.
    Logits,
    /// Computes in f16.
    HalfInside,
    /// Weights in f16, computed in f32.
    HalfWeights,
    /// Quantised, with an operator that is not known.
    Integers,
}

/// An input's size.
#[derive(Debug, Clone, Copy)]
pub struct Side {
    pub width: usize,
    pub height: usize,
}

impl Side {
    fn cells(self, stride: usize) -> [usize; 2] {
        [self.height / stride, self.width / stride]
    }
}

/// A network that is being written.
pub struct Net {
    kind: Kind,
    side: Side,
    graph: GraphProto,
}

impl Net {
    /// Strides of 8 and 16, two labels, one input `in`, one output of `[1, cells, 7]`.
    pub fn yolox(kind: Kind, side: Side) -> ModelProto {
        let mut net = Self { kind, side, graph: GraphProto::default() };
        net.graph.input = vec![value("in", DataType::Float, &[1, 3, side.height, side.width].map(Some))];
        net.stem();
        net.conv("c8", "stem", [8, 8], 4, 0.5);
        net.conv("c16", "c8", [8, 8], 2, 0.5);
        net.body();
        for (level, stride, map) in [("f8", 8, "b8"), ("f16", 16, "c16")] {
            net.head(level, stride, map);
        }
        net.node("Concat", &["f8", "f16"], "flat", &[("axis", 2)]);
        net.node_ints("Transpose", &["flat"], "raw", ("perm", &[0, 2, 1]));
        net.tail();
        let opset = if kind == Kind::CropAttribute { 9 } else { 13 };
        net.graph.output = vec![value("out", DataType::Float, &[])];
        ModelProto {
            ir_version: 7,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: opset }],
            graph: Some(net.graph),
            ..ModelProto::default()
        }
    }

    fn stem(&mut self) {
        if self.kind != Kind::Focus {
            return self.conv("stem", "in", [3, 8], 2, 0.002);
        }
        let (rows, columns) = (self.side.height as i64, self.side.width as i64);
        self.integers("axes", &[2, 3]);
        self.integers("steps", &[2, 2]);
        self.integers("ends", &[rows, columns]);
        let mut parts = Vec::new();
        for (at, begin) in [[0, 0], [1, 0], [0, 1], [1, 1]].iter().enumerate() {
            let (starts, part) = (format!("starts{at}"), format!("part{at}"));
            self.integers(&starts, begin);
            self.node("Slice", &["in", &starts, "ends", "axes", "steps"], &part, &[]);
            parts.push(part);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node("Concat", &parts, "focus", &[("axis", 1)]);
        self.conv("stem", "focus", [12, 8], 1, 0.002);
    }

    /// From `c8` to `b8`.
    fn body(&mut self) {
        let [rows, columns] = self.side.cells(8).map(|side| side as i64);
        match self.kind {
            Kind::Shuffle => {
                self.reshape("c8", "groups", &[1, 2, 4, rows, columns]);
                self.node_ints("Transpose", &["groups"], "mixed", ("perm", &[0, 2, 1, 3, 4]));
                self.reshape("mixed", "b8", &[1, 8, rows, columns]);
            }
            Kind::ShuffleFlat => {
                self.reshape("c8", "pairs", &[4, 2, rows * columns]);
                self.node_ints("Transpose", &["pairs"], "turned", ("perm", &[1, 0, 2]));
                self.reshape("turned", "halves", &[2, -1, 4, rows, columns]);
                for (at, half) in ["half0", "half1"].iter().enumerate() {
                    let index = format!("index{at}");
                    self.scalar(&index, at as i64);
                    self.node("Gather", &["halves", &index], half, &[("axis", 0)]);
                }
                self.node("Concat", &["half1", "half0"], "b8", &[("axis", 1)]);
            }
            Kind::ResizeTo => {
                self.integers("size", &[1, 8, rows, columns]);
                self.node("Resize", &["c16", "", "", "size"], "up", &[]);
                let words = [
                    ("mode", "nearest"),
                    ("coordinate_transformation_mode", "asymmetric"),
                    ("nearest_mode", "floor"),
                ];
                for (name, word) in words {
                    self.attribute(AttributeProto { name: name.to_owned(), s: word.into(), ..of_kind(3) });
                }
                self.node("Add", &["c8", "up"], "b8", &[]);
            }
            Kind::Crop | Kind::CropAttribute => {
                if self.kind == Kind::Crop {
                    for (name, number) in [("from", 2), ("to", 6), ("axis", 3)] {
                        self.integers(name, &[number]);
                    }
                    self.node("Slice", &["stem", "from", "to", "axis"], "crop", &[]);
                } else {
                    self.node_ints("Slice", &["stem"], "crop", ("starts", &[2]));
                    for (name, number) in [("ends", 6), ("axes", 3)] {
                        self.attribute(AttributeProto {
                            name: name.to_owned(),
                            ints: vec![number],
                            ..of_kind(7)
                        });
                    }
                }
                self.node("GlobalAveragePool", &["crop"], "mean", &[]);
                self.node("Add", &["c8", "mean"], "b8", &[]);
            }
            Kind::HalfInside => {
                self.node("Cast", &["c8"], "half", &[("to", DataType::Float16 as i64)]);
                self.node("Add", &["half", "half"], "twice", &[]);
                self.node("Cast", &["twice"], "b8", &[("to", DataType::Float as i64)]);
            }
            Kind::Integers => {
                self.floats("scale", &[], vec![0.1]);
                let zero = TensorProto {
                    name: "zero".into(),
                    data_type: DataType::Uint8 as i32,
                    int32_data: vec![0],
                    ..TensorProto::default()
                };
                self.graph.initializer.push(zero);
                self.node("QuantizeLinear", &["c8", "scale", "zero"], "q8", &[]);
                self.node("QLinearLeakyRelu", &["q8", "scale", "zero", "scale", "zero"], "r8", &[]);
                self.node("DequantizeLinear", &["r8", "scale", "zero"], "b8", &[]);
            }
            _ => self.node("Identity", &["c8"], "b8", &[]),
        }
    }

    fn head(&mut self, level: &str, stride: usize, map: &str) {
        let [boxes, scores, sure, both] =
            ["boxes", "scores", "sure", "both"].map(|part| format!("{level}.{part}"));
        self.conv(&boxes, map, [8, 4], 1, 0.2);
        self.conv(&scores, map, [8, 3], 1, 0.4);
        let operator = if self.kind == Kind::Logits { "Neg" } else { "Sigmoid" };
        self.node(operator, &[&scores], &sure, &[]);
        self.node("Concat", &[&boxes, &sure], &both, &[("axis", 1)]);
        let [rows, columns] = self.side.cells(stride).map(|side| side as i64);
        let cells = if self.kind == Kind::Flat { rows * columns } else { -1 };
        self.reshape(&both, level, &[1, 7, cells]);
    }

    /// From `raw` to `out`.
    fn tail(&mut self) {
        let [fine, coarse] = [8, 16].map(|stride| self.side.cells(stride).iter().product::<usize>());
        match self.kind {
            Kind::SplitLevels => {
                self.integers("lengths", &[fine as i64, coarse as i64]);
                let split = node("Split", &["raw", "lengths"], &["l8", "l16"], "split");
                self.graph.node.push(split);
                self.attribute(AttributeProto { name: "axis".into(), i: 1, ..of_kind(2) });
                self.node("Concat", &["l8", "l16"], "out", &[("axis", 1)]);
            }
            Kind::SliceLevels => {
                for (name, number) in [("zero", 0), ("fine", fine), ("all", fine + coarse), ("one", 1)] {
                    self.integers(name, &[number as i64]);
                }
                self.node("Slice", &["raw", "zero", "fine", "one"], "l8", &[]);
                self.node("Slice", &["raw", "fine", "all", "one"], "l16", &[]);
                self.node("Concat", &["l8", "l16"], "out", &[("axis", 1)]);
            }
            Kind::Grid => {
                self.floats("grid", &[1, fine + coarse, 7], vec![0.01; 7 * (fine + coarse)]);
                self.node("Add", &["raw", "grid"], "out", &[]);
            }
            Kind::Decoded | Kind::DecodedParts | Kind::DecodedCorners => self.decode(),
            _ => self.node("Identity", &["raw"], "out", &[]),
        }
    }

    fn decode(&mut self) {
        let (mut grid, mut strides) = (Vec::new(), Vec::new());
        for stride in [8usize, 16] {
            let [rows, columns] = self.side.cells(stride);
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                grid.extend([column as f32, row as f32]);
                strides.push(stride as f32);
            }
        }
        let cells = strides.len();
        self.floats("grid", &[1, cells, 2], grid);
        self.floats("strides", &[1, cells, 1], strides);
        for (name, number) in [("n0", 0), ("n2", 2), ("n4", 4), ("n7", 7)] {
            self.integers(name, &[number]);
        }
        for (from, to, name) in [("n0", "n2", "xy"), ("n2", "n4", "wh"), ("n4", "n7", "rest")] {
            self.node("Slice", &["raw", from, to, "n2"], name, &[]);
        }
        self.node("Add", &["xy", "grid"], "xy1", &[]);
        self.node("Mul", &["xy1", "strides"], "xy2", &[]);
        self.node("Exp", &["wh"], "wh1", &[]);
        self.node("Mul", &["wh1", "strides"], "wh2", &[]);
        let (mut first, mut second) = ("xy2", "wh2");
        if self.kind == Kind::DecodedParts {
            self.floats("whole", &[2], vec![self.side.width as f32, self.side.height as f32]);
            self.node("Div", &["xy2", "whole"], "xy3", &[]);
            self.node("Div", &["wh2", "whole"], "wh3", &[]);
            (first, second) = ("xy3", "wh3");
        }
        if self.kind == Kind::DecodedCorners {
            self.floats("half", &[], vec![0.5]);
            self.node("Mul", &["wh2", "half"], "wh3", &[]);
            self.node("Sub", &["xy2", "wh3"], "first", &[]);
            self.node("Add", &["xy2", "wh3"], "second", &[]);
            (first, second) = ("first", "second");
        }
        self.node("Concat", &[first, second, "rest"], "out", &[("axis", 2)]);
    }

    /// A convolution whose kernel is as large as its stride.
    fn conv(&mut self, name: &str, input: &str, [from, to]: [usize; 2], stride: usize, scale: f32) {
        let count = from * to * stride * stride;
        let taps = (from * stride * stride) as f32;
        let weights = (0..count).map(|at| ((at * 7919 + name.len() * 31) % 101) as f32 / 101.0 - 0.4);
        let weights: Vec<f32> = weights.map(|weight| weight * scale * 8.0 / taps).collect();
        let weight = format!("{name}.weight");
        let shape = [to, from, stride, stride];
        if self.kind == Kind::HalfWeights {
            let stored = format!("{name}.stored");
            let bits = weights.iter().map(|weight| i32::from(f16::from_f32(*weight).to_bits())).collect();
            let dims = shape.map(|dim| dim as i64).to_vec();
            let data_type = DataType::Float16 as i32;
            let tensor = TensorProto {
                name: stored.clone(),
                dims,
                data_type,
                int32_data: bits,
                ..TensorProto::default()
            };
            self.graph.initializer.push(tensor);
            self.node("Cast", &[&stored], &weight, &[("to", DataType::Float as i64)]);
        } else {
            self.floats(&weight, &shape, weights);
        }
        self.node_ints("Conv", &[input, &weight], name, ("strides", &[stride as i64; 2]));
    }

    fn reshape(&mut self, input: &str, output: &str, target: &[i64]) {
        let name = format!("{output}.target");
        self.integers(&name, target);
        self.node("Reshape", &[input, &name], output, &[]);
    }

    fn node(&mut self, operator: &str, inputs: &[&str], output: &str, numbers: &[(&str, i64)]) {
        self.graph.node.push(node(operator, inputs, &[output], output));
        for (name, number) in numbers {
            self.attribute(AttributeProto { name: (*name).to_owned(), i: *number, ..of_kind(2) });
        }
    }

    fn node_ints(&mut self, operator: &str, inputs: &[&str], output: &str, (name, ints): (&str, &[i64])) {
        self.node(operator, inputs, output, &[]);
        self.attribute(AttributeProto { name: name.to_owned(), ints: ints.to_vec(), ..of_kind(7) });
    }

    fn attribute(&mut self, attribute: AttributeProto) {
        self.graph.node.last_mut().unwrap().attribute.push(attribute);
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        let dims = shape.iter().map(|dim| *dim as i64).collect();
        let data_type = DataType::Float as i32;
        let tensor = TensorProto {
            name: name.to_owned(),
            dims,
            data_type,
            float_data: values,
            ..TensorProto::default()
        };
        self.graph.initializer.push(tensor);
    }

    fn integers(&mut self, name: &str, values: &[i64]) {
        self.tensor(name, vec![values.len() as i64], values);
    }

    fn scalar(&mut self, name: &str, value: i64) {
        self.tensor(name, Vec::new(), &[value]);
    }

    fn tensor(&mut self, name: &str, dims: Vec<i64>, values: &[i64]) {
        let data_type = DataType::Int64 as i32;
        let tensor = TensorProto {
            name: name.to_owned(),
            dims,
            data_type,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        };
        self.graph.initializer.push(tensor);
    }
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str], name: &str) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let op_type = operator.to_owned();
    NodeProto {
        name: name.to_owned(),
        op_type,
        input: owned(inputs),
        output: owned(outputs),
        ..NodeProto::default()
    }
}

/// An attribute of ONNX's type number: 2 an integer, 3 a string, 7 integers.
fn of_kind(number: i32) -> AttributeProto {
    let known = attribute_proto::AttributeType::try_from(number).is_ok();
    assert!(known, "{number}");
    AttributeProto { r#type: number, ..AttributeProto::default() }
}

fn value(name: &str, kind: DataType, dims: &[Option<usize>]) -> ValueInfoProto {
    let dim = |dim: &Option<usize>| Dimension {
        value: dim.map(|dim| dimension::Value::DimValue(dim as i64)),
        ..Dimension::default()
    };
    let shape = (!dims.is_empty()).then(|| TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor = type_proto::Tensor { elem_type: kind as i32, shape };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(kind), ..ValueInfoProto::default() }
}

fn input(net: &mut ModelProto) -> &mut type_proto::Tensor {
    let input = &mut net.graph.as_mut().unwrap().input[0];
    let Some(type_proto::Value::TensorType(tensor)) = &mut input.r#type.as_mut().unwrap().value else {
        panic!("no tensor")
    };
    tensor
}

/// Sets the stated shape of the input: numbers, names, or nothing.
pub fn set_dims(net: &mut ModelProto, dims: [Option<&str>; 4]) {
    let dim = |text: &str| match text.parse() {
        Ok(number) => dimension::Value::DimValue(number),
        Err(_) => dimension::Value::DimParam(text.to_owned()),
    };
    let dim = dims.map(|text| Dimension { value: text.map(dim), ..Dimension::default() }).to_vec();
    input(net).shape = Some(TensorShapeProto { dim });
}

/// Sets the stated type of the input's numbers.
pub fn set_type(net: &mut ModelProto, kind: DataType) {
    input(net).elem_type = kind as i32;
}

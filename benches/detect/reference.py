"""onnxruntime on one thread, run by run, for `inference.rs` to take turns with.

    reference.py NETWORK INPUT OUTPUT

INPUT and OUTPUT are files of raw f32: the input tensor, and all outputs one after the other. Says "ready" once both are
done, then answers each line on its standard input with the CPU seconds of one inference.
"""

import sys
import time

import numpy as np
import onnxruntime

network, input_path, output_path = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.log_severity_level = 3
session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
[first] = session.get_inputs()
tensor = np.fromfile(input_path, np.float32).reshape(first.shape)
np.concatenate([output.ravel() for output in session.run(None, {first.name: tensor})]).tofile(output_path)
print("ready", flush=True)
for _ in sys.stdin:
    begun = time.process_time()
    session.run(None, {first.name: tensor})
    print(time.process_time() - begun, flush=True)

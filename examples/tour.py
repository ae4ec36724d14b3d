"""The Python API in one page: learn, run on simulated gateware, look inside, build a bitstream."""

from attractor.data.digits import digits
from attractor.estimators import OscillatorClassifier
from attractor.gateware.build import build
from attractor.host import Device, Model
from attractor.train.oscillator.classifier import image_phases

data = digits()
classifier = OscillatorClassifier(weight_bits=5, phase_bits=4)
classifier.fit(data.train_images, data.train_labels)
classifier.model_.save("digits.safetensors")

classifier.set_params(device="rtl:digits.safetensors")  # the gateware, simulated down to the serial bits
print("accuracy", classifier.score(data.test_images, data.test_labels))

with Device.open("rtl:digits.safetensors") as device:  # a real board: "/dev/ttyUSB1"
    device.load(Model.load("digits.safetensors"))  # committed by CRC-32, or not at all
    result = device.network.recall(image_phases(classifier.spec_, data.test_images[:1]))[0]
    print("label", result.winner, "phases", result.phases, "cycles", result.cycles)

bundle = build(classifier.spec_, "icebreaker")
print(bundle.manifest["utilisation"], bundle.clock_hz, bundle.fmax_hz)
bundle.save_bitstream(".")

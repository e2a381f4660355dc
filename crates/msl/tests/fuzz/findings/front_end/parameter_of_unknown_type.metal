float f(flkat x) { return x; }
float f(float y) { return y; }
kernel void k(device float* out) { out[0] = f(1); }

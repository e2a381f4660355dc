// Programs that must not compile, and how they are told.
//--- a name that does not exist
// error: unknown-identifier
// dispatch: f grid=1
kernel void f(device int* out [[buffer(0)]]) { out[0] = missing; }
//--- a missing semicolon
// error: expected-semicolon
kernel void f(device int* out [[buffer(0)]]) { out[0] = 1 }

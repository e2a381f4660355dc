template<typename A, typename B> struct P { A a; B b; };
template<int N, typename T> struct G { using t = typename G<N-1, P<T,T>>::t; };
template<typename T> struct G<0,T> { using t = T; };
#include <metal_stdlib>
using namespace metal;
kernel void f(device int* p [[buffer(0)]], uint i [[thread_position_in_grid]]) { G<60,int>::t x; p[0]=sizeof(x); }

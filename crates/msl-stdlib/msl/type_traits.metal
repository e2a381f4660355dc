// Type traits (MSL specification, section 6.1 <metal_type_traits>), over the compiler's `__is_…` queries.

namespace metal {

template <typename T, T v> struct integral_constant {
  static constexpr constant T value = v;
  using value_type = T;
  using type = integral_constant<T, v>;
  constexpr operator T() const { return v; }
  constexpr T operator()() const { return v; }
};
template <bool B> using bool_constant = integral_constant<bool, B>;
using true_type = integral_constant<bool, true>;
using false_type = integral_constant<bool, false>;

template <typename...> using void_t = void;
template <typename T> struct type_identity { using type = T; };
template <typename T> using type_identity_t = typename type_identity<T>::type;

template <bool B, typename T = void> struct enable_if {};
template <typename T> struct enable_if<true, T> { using type = T; };
template <bool B, typename T = void> using enable_if_t = typename enable_if<B, T>::type;

template <bool B, typename T, typename F> struct conditional { using type = T; };
template <typename T, typename F> struct conditional<false, T, F> { using type = F; };
template <bool B, typename T, typename F> using conditional_t = typename conditional<B, T, F>::type;

template <typename T, typename U> struct is_same : bool_constant<__is_same(T, U)> {};
template <typename T, typename U> constexpr constant bool is_same_v = __is_same(T, U);

template <typename T> struct remove_const { using type = T; };
template <typename T> struct remove_const<const T> { using type = T; };
template <typename T> struct remove_volatile { using type = T; };
template <typename T> struct remove_volatile<volatile T> { using type = T; };
template <typename T> struct remove_cv { using type = typename remove_volatile<typename remove_const<T>::type>::type; };
template <typename T> using remove_const_t = typename remove_const<T>::type;
template <typename T> using remove_volatile_t = typename remove_volatile<T>::type;
template <typename T> using remove_cv_t = typename remove_cv<T>::type;
template <typename T> struct add_const { using type = const T; };
template <typename T> using add_const_t = const T;
template <typename T> struct add_volatile { using type = volatile T; };
template <typename T> using add_volatile_t = volatile T;
template <typename T> struct add_cv { using type = const volatile T; };
template <typename T> using add_cv_t = const volatile T;

template <typename T> struct remove_reference { using type = __remove_reference(T); };
template <typename T> using remove_reference_t = __remove_reference(T);
template <typename T> struct remove_pointer { using type = __remove_pointer(T); };
template <typename T> using remove_pointer_t = __remove_pointer(T);
template <typename T> struct remove_extent { using type = T; };
template <typename T, size_t N> struct remove_extent<T[N]> { using type = T; };
template <typename T> using remove_extent_t = typename remove_extent<T>::type;
template <typename T> struct remove_all_extents { using type = T; };
template <typename T, size_t N> struct remove_all_extents<T[N]> { using type = typename remove_all_extents<T>::type; };
template <typename T> using remove_all_extents_t = typename remove_all_extents<T>::type;
template <typename T> struct remove_cvref { using type = remove_cv_t<remove_reference_t<T>>; };
template <typename T> using remove_cvref_t = typename remove_cvref<T>::type;
template <typename T> struct decay { using type = __decay(T); };
template <typename T> using decay_t = __decay(T);
template <typename T> struct underlying_type { using type = __underlying_type(T); };
template <typename T> using underlying_type_t = __underlying_type(T);

#define __TRAIT1(name) \
  template <typename T> struct name : bool_constant<__##name(T)> {}; \
  template <typename T> constexpr constant bool name##_v = __##name(T);
__TRAIT1(is_void)
__TRAIT1(is_pointer)
__TRAIT1(is_reference)
__TRAIT1(is_lvalue_reference)
__TRAIT1(is_rvalue_reference)
__TRAIT1(is_array)
__TRAIT1(is_enum)
__TRAIT1(is_union)
__TRAIT1(is_class)
__TRAIT1(is_function)
__TRAIT1(is_const)
__TRAIT1(is_volatile)
__TRAIT1(is_empty)
template <typename T> struct is_integral : bool_constant<__is_integral(T)> {};
template <typename T, int N> struct is_integral<vec<T, N>> : bool_constant<__is_integral(T)> {};
template <typename T> constexpr constant bool is_integral_v = is_integral<T>::value;
__TRAIT1(is_floating_point)
__TRAIT1(is_arithmetic)
__TRAIT1(is_scalar)
__TRAIT1(is_signed)
__TRAIT1(is_unsigned)
__TRAIT1(is_trivially_copyable)
__TRAIT1(is_trivial)
__TRAIT1(is_standard_layout)
__TRAIT1(is_pod)
__TRAIT1(is_object)
__TRAIT1(is_fundamental)
__TRAIT1(is_aggregate)
__TRAIT1(is_abstract)
__TRAIT1(is_polymorphic)
__TRAIT1(is_final)
#undef __TRAIT1

template <typename B, typename D> struct is_base_of : bool_constant<__is_base_of(B, D)> {};
template <typename B, typename D> constexpr constant bool is_base_of_v = __is_base_of(B, D);
template <typename F, typename T> struct is_convertible : bool_constant<__is_convertible_to(F, T)> {};
template <typename F, typename T> constexpr constant bool is_convertible_v = __is_convertible_to(F, T);
template <typename T, typename... A> struct is_constructible : bool_constant<__is_constructible(T, A...)> {};
template <typename T, typename... A> constexpr constant bool is_constructible_v = __is_constructible(T, A...);
template <typename T, typename U> struct is_assignable : bool_constant<__is_assignable(T, U)> {};
template <typename T, typename U> constexpr constant bool is_assignable_v = __is_assignable(T, U);

// Of one type, by others.
#define __TRAIT1(name, value_of) \
  template <typename T> struct name : bool_constant<(value_of)> {}; \
  template <typename T> constexpr constant bool name##_v = (value_of);
__TRAIT1(is_compound, !__is_fundamental(T))
__TRAIT1(is_null_pointer, __is_same(remove_cv_t<T>, decltype(nullptr)))
__TRAIT1(is_default_constructible, __is_constructible(T))
__TRAIT1(is_copy_constructible, __is_constructible(T, const thread T&))
__TRAIT1(is_move_constructible, __is_constructible(T, thread T&&))
__TRAIT1(is_copy_assignable, __is_assignable(thread T&, const thread T&))
__TRAIT1(is_move_assignable, __is_assignable(thread T&, thread T&&))
__TRAIT1(is_trivially_default_constructible, __is_trivial(T))
__TRAIT1(is_trivially_copy_constructible, __is_trivially_copyable(T))
#undef __TRAIT1

template <typename T> struct is_vector : false_type {};
template <typename T, int N> struct is_vector<vec<T, N>> : true_type {};
template <typename T> constexpr constant bool is_vector_v = is_vector<T>::value;

// What a type is made of: its element and its number of elements; `value` is what it is promoted to.
template <typename T> struct __element {
  using type = conditional_t<__is_enum(T) || __is_same(T, bool), int, T>;
  using value = type;
  static constexpr constant int size = 1;
};
template <typename T, int N> struct __element<vec<T, N>> {
  using type = T;
  using value = vec<T, N>;
  static constexpr constant int size = N;
};
template <typename T, int N> struct __element<packed_vec<T, N>> : __element<vec<T, N>> {};
template <typename T> using __element_t = typename __element<T>::type;
// A vector of T as long as V is; a scalar for a scalar.
template <typename T, typename V, int N = __element<V>::size> struct __like { using type = vec<T, N>; };
template <typename T, typename V> struct __like<T, V, 1> { using type = T; };
template <typename T, typename V> using __like_t = typename __like<T, V>::type;

// Types of the arguments of library functions, which are templates that take scalars, vectors and packed vectors:
// `value`, where the elements are of the right kind.
template <typename T> using __float_t = enable_if_t<__is_floating_point(__element_t<T>), typename __element<T>::value>;
template <typename T> using __integer_t = enable_if_t<__is_integral(__element_t<T>), typename __element<T>::value>;
template <typename T> using __number_t = enable_if_t<__is_arithmetic(__element_t<T>), typename __element<T>::value>;
// Single precision, to which other scalars convert.
template <typename T, typename E = __element_t<T>>
using __single_t = enable_if_t<__is_same(E, float) || (__is_arithmetic(E) && __element<T>::size == 1), __like_t<float, T>>;
// The type of two arguments of one parameter type: they agree, or one is a scalar and becomes a vector. Functions that exist for
// floats only also convert integers, so that `pow(x, 2)` is a float and `max(x, 2)` an error.
template <typename A, typename B> struct __pair {
  using a = typename __element<A>::value;
  using b = typename __element<B>::value;
  static constexpr constant int n = __element<A>::size;
  static constexpr constant int m = __element<B>::size;
  static constexpr constant bool numbers = __is_arithmetic(__element_t<A>) && __is_arithmetic(__element_t<B>);
  static constexpr constant bool scalars = n == 1 && m == 1;
  static constexpr constant bool fits = __is_same(a, b) || !scalars && (n == 1 || m == 1);
  static constexpr constant bool joins = fits || scalars && !(__is_floating_point(a) && __is_floating_point(b));
  using type = conditional_t<scalars, conditional_t<__is_floating_point(a), a, b>, conditional_t<(n >= m), a, b>>;
};
template <typename A, typename B, typename P = __pair<A, B>> using __common_t = enable_if_t<P::numbers && P::fits, typename P::type>;
template <typename A, typename B, typename P = __pair<A, B>> using __joined_t = enable_if_t<P::numbers && P::joins, typename P::type>;
template <typename A, typename B> using __common_float_t = __float_t<__joined_t<A, B>>;
template <typename A, typename B, typename C> using __common_float3_t = __float_t<__joined_t<__joined_t<A, B>, C>>;
template <typename A, typename B> using __common_integer_t = __integer_t<__common_t<A, B>>;

template <typename T> struct make_unsigned;
template <typename T> struct make_signed;
#define __SIGN_PAIR(S, U) \
  template <> struct make_unsigned<S> { using type = U; }; \
  template <> struct make_unsigned<U> { using type = U; }; \
  template <> struct make_signed<S> { using type = S; }; \
  template <> struct make_signed<U> { using type = S; };
__SIGN_PAIR(char, uchar)
__SIGN_PAIR(short, ushort)
__SIGN_PAIR(int, uint)
__SIGN_PAIR(long, ulong)
#undef __SIGN_PAIR
template <typename T, int N> struct make_unsigned<vec<T, N>> { using type = vec<typename make_unsigned<T>::type, N>; };
template <typename T, int N> struct make_signed<vec<T, N>> { using type = vec<typename make_signed<T>::type, N>; };
template <typename T> using make_unsigned_t = typename make_unsigned<T>::type;
template <typename T> using make_signed_t = typename make_signed<T>::type;

template <typename... B> struct conjunction : true_type {};
template <typename B, typename... R> struct conjunction<B, R...> : conditional_t<bool(B::value), conjunction<R...>, B> {};
template <typename... B> struct disjunction : false_type {};
template <typename B, typename... R> struct disjunction<B, R...> : conditional_t<bool(B::value), B, disjunction<R...>> {};
// Published kernels have these from inside Apple's headers.
template <typename... B> using _conjunction = conjunction<B...>;
template <typename... B> using _disjunction = disjunction<B...>;
template <typename B> struct negation : bool_constant<!bool(B::value)> {};
template <typename... B> constexpr constant bool conjunction_v = conjunction<B...>::value;
template <typename... B> constexpr constant bool disjunction_v = disjunction<B...>::value;
template <typename B> constexpr constant bool negation_v = !bool(B::value);

template <typename T> inline T&& declval();
template <typename... T> struct common_type {};
template <typename T> struct common_type<T> { using type = decay_t<T>; };
template <typename A, typename B> struct common_type<A, B> { using type = decay_t<decltype(true ? declval<A>() : declval<B>())>; };
template <typename A, typename B, typename C, typename... R>
struct common_type<A, B, C, R...> : common_type<typename common_type<A, B>::type, C, R...> {};
template <typename... T> using common_type_t = typename common_type<T...>::type;
template <typename T> struct rank : integral_constant<size_t, 0> {};
template <typename T, size_t N> struct rank<T[N]> : integral_constant<size_t, rank<T>::value + 1> {};
template <typename T> constexpr constant size_t rank_v = rank<T>::value;
template <typename T, unsigned I = 0> struct extent : integral_constant<size_t, 0> {};
template <typename T, size_t N> struct extent<T[N], 0> : integral_constant<size_t, N> {};
template <typename T, size_t N, unsigned I> struct extent<T[N], I> : extent<T, I - 1> {};
template <typename T, unsigned I = 0> constexpr constant size_t extent_v = extent<T, I>::value;
template <typename T> struct alignment_of : integral_constant<size_t, alignof(T)> {};
template <typename T> constexpr constant size_t alignment_of_v = alignof(T);
// What a call gives, where there is one.
template <typename V, typename F, typename... A> struct __invoke {};
template <typename F, typename... A> struct __invoke<void_t<decltype(declval<F>()(declval<A>()...))>, F, A...> {
  using type = decltype(declval<F>()(declval<A>()...));
};
template <typename F, typename... A> struct invoke_result : __invoke<void, F, A...> {};
template <typename F, typename... A> using invoke_result_t = typename invoke_result<F, A...>::type;
template <typename V, typename F, typename... A> struct __is_call : false_type {};
template <typename F, typename... A> struct __is_call<void_t<decltype(declval<F>()(declval<A>()...))>, F, A...> : true_type {};
template <typename F, typename... A> struct is_invocable : __is_call<void, F, A...> {};
template <typename F, typename... A> constexpr constant bool is_invocable_v = is_invocable<F, A...>::value;
template <typename T> inline remove_reference_t<T>&& move(thread T& x) { return (remove_reference_t<T>&&)x; }

template <typename T, T... I> struct integer_sequence {
  using value_type = T;
  static constexpr size_t size() { return sizeof...(I); }
};
template <size_t... I> using index_sequence = integer_sequence<size_t, I...>;
// Halves are joined, so that long sequences are not nested deeply.
template <typename A, typename B> struct __join_sequences;
template <typename T, T... I, T... J> struct __join_sequences<integer_sequence<T, I...>, integer_sequence<T, J...>> {
  using type = integer_sequence<T, I..., T(T(sizeof...(I)) + J)...>;
};
template <typename T, size_t N> struct __make_sequence
    : __join_sequences<typename __make_sequence<T, N / 2>::type, typename __make_sequence<T, N - N / 2>::type> {};
template <typename T> struct __make_sequence<T, 0> { using type = integer_sequence<T>; };
template <typename T> struct __make_sequence<T, 1> { using type = integer_sequence<T, T(0)>; };
template <typename T, T N> using make_integer_sequence = typename __make_sequence<T, N>::type;
template <size_t N> using make_index_sequence = make_integer_sequence<size_t, N>;
template <typename... T> using index_sequence_for = make_index_sequence<sizeof...(T)>;

// Programs ask Apple's headers by this name whether the simdgroup functions take a type.
template <typename T> struct __is_valid_simdgroup_type : bool_constant<is_arithmetic_v<T> && !is_same_v<T, bool> && sizeof(T) <= 4 && !is_same_v<T, bfloat>> {};
template <typename T, int N> struct __is_valid_simdgroup_type<vec<T, N>> : __is_valid_simdgroup_type<T> {};

template <typename T> constexpr void swap(thread T& a, thread T& b) { T t = a; a = b; b = t; }

} // namespace metal

// `as_type<T>(x)`: the same bits (MSL specification, section 2.18).
template <typename To, typename From> inline To as_type(From x) { return __metal_bitcast<To>(x); }
namespace metal { using ::as_type; }

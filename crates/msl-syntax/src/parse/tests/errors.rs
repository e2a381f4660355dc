//! Messages and their places.

use super::{check_errors, messages, parse_text};

#[test]
fn a_missing_semicolon_is_reported_after_the_previous_token() {
    check_errors(
        "void f(int a) {\n  int x = a\n  x = 2\n  return\n}\nint y\nvoid g();",
        "
        2:12 expected-semicolon expected ';' after this declaration
          help insert ';' here
        3:8 expected-semicolon expected ';' after this expression
          help insert ';' here
        4:9 expected-semicolon expected ';' after this statement
          help insert ';' here
        6:6 expected-semicolon expected ';' after this declaration
          help insert ';' here",
    );
    check_errors(
        "struct S { int a; }\nstruct T { int a int b; };\nenum E { A }\nfloat4 f();",
        "
        1:20 expected-semicolon expected ';' after this definition
          help insert ';' here
        2:17 expected-semicolon expected ';' after this declaration
          help insert ';' here
        3:13 expected-semicolon expected ';' after this definition
          help insert ';' here",
    );
}

#[test]
fn unmatched_brackets_point_at_their_opener() {
    check_errors(
        "void f(int a) {\n  a = (a + 1;\n  f(a, 2\n  if (a > 2 { return; }\n  int v[] = {1, 2;\n  a = v[1;\n}\n",
        "
        2:13 expected-closing-bracket expected ')'
          note 2:7 to match this '('
        3:9 expected-closing-bracket expected ')'
          note 3:4 to match this '('
        4:13 expected-closing-bracket expected ')'
          note 4:6 to match this '('
        5:18 expected-closing-bracket expected '}'
          note 5:13 to match this '{'
        6:10 expected-closing-bracket expected ']'
          note 6:8 to match this '['",
    );
    check_errors(
        "void f() {\n  if (true) {\n    int x = 1;\n}\nkernel void g() {}\n",
        "
        4:2 expected-closing-bracket expected '}'
          note 1:10 to match this '{'",
    );
    check_errors(
        "void f(int a }\nint x;",
        "
        1:14 expected-token expected ',' or ')' after this parameter",
    );
    check_errors(
        "vec<float, 4 x; }",
        "
        1:14 expected-closing-bracket expected '>'
          note 1:4 to match this '<'
        1:17 unexpected-token this brace closes nothing",
    );
}

#[test]
fn an_operand_is_missing() {
    check_errors(
        "void f(int a) {\n  a = ;\n  a = a + ;\n  a = (a *);\n  f(a, );\n  a = a ? 1;\n}",
        "
        2:7 expected-expression expected an expression
        3:11 expected-expression expected an expression
        4:11 expected-expression expected an expression
        6:12 expected-token expected ':' between the two values of '?'",
    );
    check_errors(
        "void f(int a) { a = float; }",
        "
        1:21 expected-expression expected an expression, but this is a type",
    );
}

#[test]
fn loops_and_conditions() {
    check_errors(
        "void f(int a) {\n  for (int i = 0; i < 3, ++i) {}\n  for (int i = 0, i < 3; ++i) {}\n  do {} int b;\n  while a {}\n  if (a) else a;\n}",
        "
        2:29 expected-semicolon expected ';' after the condition of this loop
          help insert ';' here
        3:20 expected-semicolon expected ';' after the initialisation of this loop
          help insert ';' here
        4:8 expected-token expected 'while' after the body of 'do'
        5:9 expected-token expected '(' after 'while'
        6:9 expected-statement expected a statement",
    );
    check_errors(
        "void f(int a) { switch (a) { case 1 a; case 2; } }",
        "
        1:36 expected-token expected ':' after this 'case'
          help insert ':' here
        1:46 expected-token expected ':' after this 'case'
          help insert ':' here",
    );
}

#[test]
fn types_are_missing_or_wrong() {
    check_errors(
        "constant x = 3;\ng(int a) {}\nunsigned float z;\nlong long long w;\nfloat int q;\nmetal::mem_flags::mem_none r;",
        "
        1:10 missing-type expected a type after these qualifiers
        2:1 missing-type this function has no return type
          help write the return type before the name, or 'void'
        3:1 invalid-type-specifiers these words do not make up a type together
        4:1 invalid-type-specifiers these words do not make up a type together
        5:1 invalid-type-specifiers these words do not make up a type together
        6:1 expected-type expected a type, but this names a value",
    );
    check_errors(
        "template <typename T void f(T x) {}\ntemplate <typename T> void g(T x) { T y = x; }",
        "
        1:22 expected-closing-bracket expected '>'
          note 1:10 to match this '<'",
    );
    check_errors(
        "device constant float *p;",
        "1:8 conflicting-address-spaces this type already has another address space",
    );
}

#[test]
fn what_metal_does_not_have_is_named() {
    check_errors(
        "void f(int a) {\n  goto done;\ndone:\n  throw a;\n  int *q = new int[3];\n  delete q;\n  try { a = 1; } catch (int e) { }\n  asm(\"nop\");\n  a = typeid(int);\n  a = dynamic_cast<int>(a);\n}\nstruct S { virtual void g(); };",
        "
        2:3 not-in-msl the Metal Shading Language has no 'goto'
          help use loops and conditions instead of jumps
        3:1 not-in-msl the Metal Shading Language has no labels
          help use loops and conditions instead of jumps
        4:3 not-in-msl the Metal Shading Language has no exceptions
          help return a value that tells success from failure
        5:12 not-in-msl the Metal Shading Language has no dynamic memory
          help pass a buffer to the kernel, or use an array in the thread or threadgroup address space
        6:3 not-in-msl the Metal Shading Language has no dynamic memory
          help pass a buffer to the kernel, or use an array in the thread or threadgroup address space
        7:3 not-in-msl the Metal Shading Language has no exceptions
          help return a value that tells success from failure
        8:3 unsupported-inline-assembly inline assembly is not portable and not supported
        9:7 not-in-msl the Metal Shading Language has no run-time type information
        10:7 not-in-msl the Metal Shading Language has no 'dynamic_cast'
          help use 'static_cast'
        12:12 not-in-msl the Metal Shading Language has no virtual functions",
    );
}

#[test]
fn errors_in_one_member_leave_the_others() {
    let parsed = parse_text("struct S { int a = ; void f() { a = ; } int b; void g() { return b; } };");
    assert_eq!(messages(&parsed).lines().count(), 2, "{}", messages(&parsed));
    assert!(parsed.tree.contains("var b: int") && parsed.tree.contains("return b"), "{}", parsed.tree);
}

#[test]
fn errors_in_one_function_leave_the_others() {
    let parsed = parse_text(
        "void f( { }\nvoid g() { int x = (1; }\nvoid h() { return 1 }\nkernel void k(uint i [[thread_position_in_grid]]) { }",
    );
    assert_eq!(messages(&parsed).lines().filter(|l| !l.starts_with(' ')).count(), 3, "{}", messages(&parsed));
    assert!(parsed.tree.contains("kernel fn k(i: uint [[thread_position_in_grid]]) -> void\n"), "{}", parsed.tree);
}

#[test]
fn unsupported_constructs_say_so() {
    check_errors(
        "void f(int a) { a = ({ 1; }); for (auto [x, y] : a) {} }\ntemplate <typename T> requires true void g();",
        "
        2:23 not-in-msl the Metal Shading Language has no concepts, which are C++20
          help constrain the template by 'enable_if_t', a specialization or 'if constexpr'",
    );
}

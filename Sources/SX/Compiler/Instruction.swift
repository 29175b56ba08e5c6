/// The instructions of the register machine.
///
/// `a`, `b`, `c` are registers of the running frame unless said otherwise. `[x]` is the value in register x. A jump adds `c` (signed) to the
/// address of the next instruction. A "window" is a run of registers at the top of the frame: the function, then its arguments.
enum Op: UInt8 {
  /// Does not occur in compiled code; ends a fiber.
  case halt
  /// [a] ← [b]; `move2` also [a+1] ← [c].
  case move, move2
  /// [a] ← constant at distance b | c << 16; the immediate value with bits b; the integer b (signed).
  case loadConstant, loadImmediate, loadInteger
  /// [a] ↔ global b | c << 16. `setGlobal` wants it to exist, `defineGlobal` does not.
  case getGlobal, setGlobal, defineGlobal
  /// Captured values of the running closure; `…Boxed` through a box.
  case getUpvalue, getUpvalueBoxed, setUpvalueBoxed
  /// [a] ← box([a]); [a] ← contents of [b]; contents of [a] ← [b].
  case makeBox, getBox, setBox
  /// [a] ← closure of the code constant at distance b | c << 16; `n` words of `capture` follow.
  case closure
  /// Not executed: n = 0 register b, 1 captured value b, 2 the running closure.
  case capture
  /// [a] ← dict of the n values [a]…, with the keys of the entries constant at distance b | c << 16.
  case dict

  case jump
  /// A jump backwards: a safepoint.
  case loop
  /// [a] ← rest of the list [a] that a loop walks along, then a jump unless that is empty. A safepoint.
  case nextItem
  case jumpIfFalse, jumpIfTrue, jumpIfNil, jumpUnlessNil, jumpIfEmpty, jumpUnlessEmpty
  /// Compare [a] with [b].
  case jumpIfLess, jumpUnlessLess, jumpIfLessOrEqual, jumpUnlessLessOrEqual, jumpIfEqual, jumpUnlessEqual, jumpIfIdentical, jumpUnlessIdentical
  /// Compare [a] with the integer b (signed).
  case jumpIfLessInteger, jumpUnlessLessInteger, jumpIfLessOrEqualInteger, jumpUnlessLessOrEqualInteger
  case jumpIfGreaterInteger, jumpUnlessGreaterInteger, jumpIfGreaterOrEqualInteger, jumpUnlessGreaterOrEqualInteger
  case jumpIfEqualInteger, jumpUnlessEqualInteger
  /// Compare [a] with the constant at distance b.
  case jumpUnlessLessConstant, jumpUnlessLessOrEqualConstant, jumpUnlessGreaterConstant, jumpUnlessGreaterOrEqualConstant

  /// [a] ← [b] op [c]. n: which argument of the expression [c] is, for messages.
  case add, subtract, multiply, mod, divide, quotient, remainder
  /// [a] ← [b] op the constant at distance c, a double that is not boxed or an integer. n: one more than which argument [b] is.
  case addDouble, subtractDouble, multiplyDouble, multiplyInteger
  /// A multiplication whose product only the next instruction reads, which adds it to its [b] or takes it away from that. For doubles this one does both.
  case multiplyThenAdd, multiplyThenSubtract, multiplyDoubleThenAdd, multiplyDoubleThenSubtract
  /// [a] ← [c] + b (signed). n = 1: the source says minus -b, n = 2: `inc`, n = 3: `dec`.
  case addInteger
  /// [a] ← [b] op [c], op [b]. `rest` with n = 1: nobody but a walking loop will see the result.
  case cons, get, first, rest
  /// [a] ← what [b] has under the constant at distance c, a string. n: the entry of a small dict in which that was the last time; written as it runs.
  case getKey
  /// Adds [b] to the list [a] that a loop collects; [a] ← that list, complete. See `Accumulator`.
  case collect, collected
  /// [a] ← reverse of [b].
  case reverse
  /// [a] ← element [c] of the vector [b]; element [b] of the vector [a] ← [c].
  case vectorRef, vectorSet
  /// [a] ← length of [b]; character [c] of the string [b]; code of the character [b].
  case length, stringRef, charToInteger
  /// If the global c reads a field of records of the type of [b]: [a] ← that field, and the next n instructions are skipped, which call the global.
  case field
  /// The same if it changes a field of [a]: that field ← [b].
  case setField

  /// Call [a] with the n arguments [a+1]…; the result goes to [a]. `Global`: the function is global b | c << 16.
  case call, callGlobal, callSelf
  /// The same with the function [b], which the window gets.
  case callRegister
  /// The same with the primitive that is the constant at distance b | c << 16 and answers a value, in code of the prelude, whose primitives stay what they are.
  case callNative
  /// Jumps unless the global a | b << 16 is the running closure.
  case jumpUnlessSelf
  /// Goes on at the entry of the running closure, which is another one when it was compiled anew. A safepoint.
  case restart
  /// The same if the global a | b << 16 is the running closure.
  case restartIfSelf
  /// The same in place of the running frame.
  case tailCall, tailCallGlobal
  /// Return [a].
  case `return`

  /// [a] ← what the coroutine [b] yields next, resumed with [c], or with nil for n = 1.
  case resumeCoroutine
  /// [a] ← what the running coroutine is resumed with next, after handing out [b].
  case yieldCoroutine

  /// Push a handler record; a condition goes to [a], control to the jump's target. n = 1: where it came from goes to [a+1]. `popHandler` drops the innermost record.
  case pushGuard, pushHandlers, popHandler
  /// Bind the n pairs of parameter and value [a]…; the bindings so far go to [a], for `popBindings`.
  case pushBindings, popBindings
}

/// One instruction: 8 bytes.
struct Instruction: BitwiseCopyable {
  var op: Op
  var n: UInt8 = 0
  var a: UInt16 = 0
  var b: UInt16 = 0
  var c: UInt16 = 0
}

extension Instruction {
  /// The global that it names.
  var global: Int? {
    switch op {
    case .getGlobal, .setGlobal, .defineGlobal, .callGlobal, .tailCallGlobal: Int(b) | Int(c) &<< 16
    case .restartIfSelf, .jumpUnlessSelf: Int(a) | Int(b) &<< 16
    case .field, .setField: Int(c)
    default: nil
    }
  }
  /// Names another one, if there is room for its index.
  mutating func name(global: Int) {
    switch op {
    case .getGlobal, .setGlobal, .defineGlobal, .callGlobal, .tailCallGlobal: (b, c) = (UInt16(global & 0xFFFF), UInt16(global >> 16))
    case .restartIfSelf, .jumpUnlessSelf: (a, b) = (UInt16(global & 0xFFFF), UInt16(global >> 16))
    case .field, .setField: if let short = UInt16(exactly: global) { c = short }
    default: break
    }
  }
}

typealias InstructionPointer = UnsafePointer<Instruction>

/// Operands are read through the instruction pointer, so that a case loads just the fields that it uses; decoding all of them ahead cost 24–71 %.
extension InstructionPointer {
  @inline(__always) var n: UInt8 { pointee.n }
  @inline(__always) var a: Int { Int(pointee.a) }
  @inline(__always) var b: Int { Int(pointee.b) }
  @inline(__always) var c: Int { Int(pointee.c) }
  /// `b` as a signed integer.
  @inline(__always) var integer: Int { Int(Int16(bitPattern: pointee.b)) }
  /// `c` as a signed jump.
  @inline(__always) var offset: Int { Int(Int16(bitPattern: pointee.c)) }
  /// `b` and `c` as one index.
  @inline(__always) var index: Int { Int(pointee.b) | Int(pointee.c) &<< 16 }
  /// `a` and `b` as the index of a global.
  @inline(__always) var selfIndex: Int { Int(pointee.a) | Int(pointee.b) &<< 16 }
  /// The constant at distance `c`.
  @inline(__always) var nearConstant: Value { Value(bits: UnsafeRawPointer(self).load(fromByteOffset: Int(pointee.c) &* 8, as: UInt64.self)) }
  /// The constant at distance `b`.
  @inline(__always) var testConstant: Value { Value(bits: UnsafeRawPointer(self).load(fromByteOffset: Int(pointee.b) &* 8, as: UInt64.self)) }
  /// The constant at the distance that `index` says.
  @inline(__always) var constant: Value {
    Value(bits: UnsafeRawPointer(self).load(fromByteOffset: index &* 8, as: UInt64.self))
  }
}

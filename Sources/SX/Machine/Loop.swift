/// The loop that executes instructions.
///
/// Its state lives in local variables; the optimiser keeps them in machine registers as long as bodies stay short. Everything rare is a
/// function that is not inlined. Before anything that may look at the state or change it (calls of natives, safepoints, errors) it is
/// spilled to `state`; a slow path that changed it answers `unbound`, and the loop takes it up again. Adding a case can shift the
/// allocation of registers by 20 %: measure after every change. `ip` is the instruction that runs, and `continue` goes on with what it has been
/// set to: a second pointer to the next one would cost a machine register. Elsewhere a `pc` is always the instruction that comes next.
extension Machine {
  /// Why the loop was left.
  enum Exit {
    /// The fiber ran to its end.
    case finished(Value)
    /// The fiber waits for the host.
    case suspended
    /// The fiber's time slice is over.
    case preempted
  }

  /// Runs the current fiber from `state`.
  func run() throws -> Exit {
    while true {
      do { return try loop() } catch let error as Unwinding {
        try recover(error.cause)
      }
    }
  }

  /// An error that left the loop after its state was spilled.
  private struct Unwinding: Error {
    let cause: any Error
  }

  private func loop() throws -> Exit {
    let globals = self.globals, heap = self.heap, safepoint = self.safepoint
    var state = self.state
    var ip = state.pointee.pc
    var base = state.pointee.base
    var fp = state.pointee.fp
    var stackEnd = state.pointee.stackEnd

    do {
      while true {
        switch ip.pointee.op {
        // MARK: Data movement
        case .move: base[ip.a] = base[ip.integer]
        case .move2:
          let x = base[ip.integer], y = base[ip.offset]
          base[ip.a] = x
          base[ip.a &+ 1] = y
        case .loadConstant: base[ip.a] = ip.constant
        case .loadImmediate: base[ip.a] = Value(bits: UInt64(ip.pointee.b))
        case .loadInteger: base[ip.a] = .fix(ip.integer)
        case .getGlobal:
          let v = globals[ip.index]
          if v != .unbound {
            base[ip.a] = v
          } else {
            state.pointee.pc = ip + 1
            state.pointee.base = base
            state.pointee.fp = fp
            base[ip.a] = try boundGlobal(ip.index)
          }
        case .getUpvalue: base[ip.a] = base[-1].upvalue(ip.b)
        case .getUpvalueBoxed: base[ip.a] = base[-1].upvalue(ip.b).boxed
        case .setUpvalueBoxed: base[-1].upvalue(ip.b).setWord(1, base[ip.a])
        case .makeBox: base[ip.a] = heap.box(base[ip.a])
        case .getBox: base[ip.a] = base[ip.b].boxed
        case .setBox: base[ip.a].setWord(1, base[ip.b])

        // MARK: What takes its time
        case .setGlobal, .defineGlobal, .closure, .capture, .dict, .collected, .reverse, .pushGuard, .pushHandlers, .pushBindings:
          state.pointee.pc = ip + 1
          state.pointee.base = base
          state.pointee.fp = fp
          try executeSpilled(ip)
          state = self.state
          ip = state.pointee.pc
          base = state.pointee.base
          fp = state.pointee.fp
          stackEnd = state.pointee.stackEnd
          continue

        // MARK: Jumps
        case .jump: ip += ip.offset
        case .loop:
          safepoint.pointee &-= 1
          if safepoint.pointee < 0 {
            state.pointee.pc = ip
            state.pointee.base = base
            state.pointee.fp = fp
            if try atSafepoint() { return .preempted }
            base = state.pointee.base
            fp = state.pointee.fp
            stackEnd = state.pointee.stackEnd
          }
          ip += ip.offset
        case .nextItem:
          safepoint.pointee &-= 1
          if safepoint.pointee < 0 {
            state.pointee.pc = ip
            state.pointee.base = base
            state.pointee.fp = fp
            if try atSafepoint() { return .preempted }
            base = state.pointee.base
            fp = state.pointee.fp
            stackEnd = state.pointee.stackEnd
            continue
          }
          let x = base[ip.a]
          if x.isPair, case let t = x.word(2), t.isPair {
            base[ip.a] = t
            ip += ip.offset
          } else if x.isOwnRun {
            x.advance()
            ip += ip.offset
          } else if try nextItem(base + ip.a) {
            ip += ip.offset
          }
        case .jumpIfFalse: if base[ip.a].isFalsy { ip += ip.offset }
        case .jumpIfTrue: if !base[ip.a].isFalsy { ip += ip.offset }
        case .jumpIfNil: if base[ip.a].isNil { ip += ip.offset }
        case .jumpUnlessNil: if !base[ip.a].isNil { ip += ip.offset }
        case .jumpIfEmpty:
          let x = base[ip.a]
          if !x.isPairOrRun, try x.isEmptyList || isEmpty(x) { ip += ip.offset }
        case .jumpUnlessEmpty:
          let x = base[ip.a]
          if x.isPairOrRun { ip += ip.offset } else if !x.isEmptyList, try !isEmpty(x) { ip += ip.offset }
        case .jumpIfLess:
          let x = base[ip.a], y = base[ip.b]
          if Value.bothFix(x, y) { if Value.fixLess(x, y) { ip += ip.offset } } else if try less(x, y, ip.n) { ip += ip.offset }
        case .jumpUnlessLess:
          let x = base[ip.a], y = base[ip.b]
          if Value.bothFix(x, y) { if !Value.fixLess(x, y) { ip += ip.offset } } else if try !less(x, y, ip.n) { ip += ip.offset }
        case .jumpIfLessOrEqual:
          let x = base[ip.a], y = base[ip.b]
          if Value.bothFix(x, y) { if Value.fixLessOrEqual(x, y) { ip += ip.offset } } else if try lessOrEqual(x, y, ip.n) { ip += ip.offset }
        case .jumpUnlessLessOrEqual:
          let x = base[ip.a], y = base[ip.b]
          if Value.bothFix(x, y) { if !Value.fixLessOrEqual(x, y) { ip += ip.offset } } else if try !lessOrEqual(x, y, ip.n) { ip += ip.offset }
        case .jumpIfEqual:
          let x = base[ip.a], y = base[ip.b]
          if Value.bothFix(x, y) { if x == y { ip += ip.offset } } else if Equality.deep(x, y, heap) { ip += ip.offset }
        case .jumpUnlessEqual:
          let x = base[ip.a], y = base[ip.b]
          if Value.bothFix(x, y) { if x != y { ip += ip.offset } } else if !Equality.deep(x, y, heap) { ip += ip.offset }
        case .jumpIfIdentical: if base[ip.a] == base[ip.b] { ip += ip.offset }
        case .jumpUnlessIdentical: if base[ip.a] != base[ip.b] { ip += ip.offset }
        case .jumpIfLessInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if Value.fixLess(x, y) { ip += ip.offset } } else if try less(x, y, 0) { ip += ip.offset }
        case .jumpUnlessLessInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if !Value.fixLess(x, y) { ip += ip.offset } } else if try !less(x, y, 0) { ip += ip.offset }
        case .jumpIfLessOrEqualInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if Value.fixLessOrEqual(x, y) { ip += ip.offset } } else if try lessOrEqual(x, y, 0) { ip += ip.offset }
        case .jumpUnlessLessOrEqualInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if !Value.fixLessOrEqual(x, y) { ip += ip.offset } } else if try !lessOrEqual(x, y, 0) { ip += ip.offset }
        case .jumpIfGreaterInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if Value.fixLess(y, x) { ip += ip.offset } } else if try less(y, x, 1) { ip += ip.offset }
        case .jumpUnlessGreaterInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if !Value.fixLess(y, x) { ip += ip.offset } } else if try !less(y, x, 1) { ip += ip.offset }
        case .jumpIfGreaterOrEqualInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if Value.fixLessOrEqual(y, x) { ip += ip.offset } } else if try lessOrEqual(y, x, 1) { ip += ip.offset }
        case .jumpUnlessGreaterOrEqualInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if !Value.fixLessOrEqual(y, x) { ip += ip.offset } } else if try !lessOrEqual(y, x, 1) { ip += ip.offset }
        case .jumpIfEqualInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if x == y { ip += ip.offset } } else if try equalsInteger(x, y, ip.n) { ip += ip.offset }
        case .jumpUnlessEqualInteger:
          let x = base[ip.a], y = Value.fix(ip.integer)
          if x.isFix { if x != y { ip += ip.offset } } else if try !equalsInteger(x, y, ip.n) { ip += ip.offset }

        case .jumpUnlessLessConstant:
          let x = base[ip.a], y = ip.testConstant
          if Value.bothFix(x, y) { if !Value.fixLess(x, y) { ip += ip.offset } } else if try !less(x, y, 0) { ip += ip.offset }
        case .jumpUnlessLessOrEqualConstant:
          let x = base[ip.a], y = ip.testConstant
          if Value.bothFix(x, y) { if !Value.fixLessOrEqual(x, y) { ip += ip.offset } } else if try !lessOrEqual(x, y, 0) { ip += ip.offset }
        case .jumpUnlessGreaterConstant:
          let x = base[ip.a], y = ip.testConstant
          if Value.bothFix(x, y) { if !Value.fixLess(y, x) { ip += ip.offset } } else if try !less(y, x, 1) { ip += ip.offset }
        case .jumpUnlessGreaterOrEqualConstant:
          let x = base[ip.a], y = ip.testConstant
          if Value.bothFix(x, y) { if !Value.fixLessOrEqual(y, x) { ip += ip.offset } } else if try !lessOrEqual(y, x, 1) { ip += ip.offset }

        // MARK: Arithmetic
        case .add:
          let x = base[ip.b], y = base[ip.c]
          if Value.bothFix(x, y), case (let r, false) = Value.fixAdd(x, y) {
            base[ip.a] = r
          } else if Value.bothFlo(x, y), let d = Value.inlineDouble(x.floValue + y.floValue) {
            base[ip.a] = d
          } else {
            base[ip.a] = try arithmetic(.add, x, y, Int(ip.n))
          }
        case .addInteger:
          let x = base[ip.c]
          if x.isFix, case (let r, false) = Value.fixAdd(x, immediate: ip.integer) { base[ip.a] = r } else { base[ip.a] = try addInteger(x, ip) }
        case .subtract:
          let x = base[ip.b], y = base[ip.c]
          if Value.bothFix(x, y), case (let r, false) = Value.fixSub(x, y) {
            base[ip.a] = r
          } else if Value.bothFlo(x, y), let d = Value.inlineDouble(x.floValue - y.floValue) {
            base[ip.a] = d
          } else {
            base[ip.a] = try arithmetic(.subtract, x, y, Int(ip.n))
          }
        case .multiply:
          let x = base[ip.b], y = base[ip.c]
          if Value.bothFix(x, y), case (let r, false) = Value.fixMul(x, y) {
            base[ip.a] = r
          } else if Value.bothFlo(x, y), let d = Value.inlineDouble(x.floValue * y.floValue) {
            base[ip.a] = d
          } else {
            base[ip.a] = try arithmetic(.multiply, x, y, Int(ip.n))
          }
        case .addDouble:
          let x = base[ip.b], y = ip.nearConstant
          if x.isFlo, let d = Value.inlineDouble(x.floValue + y.floValue) { base[ip.a] = d } else { base[ip.a] = try arithmetic(.add, x, y, Int(ip.n)) }
        case .subtractDouble:
          let x = base[ip.b], y = ip.nearConstant
          if x.isFlo, let d = Value.inlineDouble(x.floValue - y.floValue) { base[ip.a] = d } else { base[ip.a] = try arithmetic(.subtract, x, y, Int(ip.n)) }
        case .multiplyDouble:
          let x = base[ip.b], y = ip.nearConstant
          if x.isFlo, let d = Value.inlineDouble(x.floValue * y.floValue) { base[ip.a] = d } else { base[ip.a] = try arithmetic(.multiply, x, y, Int(ip.n)) }
        case .multiplyThenAdd:
          let x = base[ip.b], y = base[ip.c], z = base[(ip + 1).b]
          if Value.bothFix(x, y), case (let r, false) = Value.fixMul(x, y) {
            base[ip.a] = r
          } else if Value.bothFlo(x, y), z.isFlo, let d = Value.inlineDouble(z.floValue + x.floValue * y.floValue) {
            base[(ip + 1).a] = d
            ip += 1
          } else {
            base[ip.a] = try arithmetic(.multiply, x, y, Int(ip.n))
          }
        case .multiplyThenSubtract:
          let x = base[ip.b], y = base[ip.c], z = base[(ip + 1).b]
          if Value.bothFix(x, y), case (let r, false) = Value.fixMul(x, y) {
            base[ip.a] = r
          } else if Value.bothFlo(x, y), z.isFlo, let d = Value.inlineDouble(z.floValue - x.floValue * y.floValue) {
            base[(ip + 1).a] = d
            ip += 1
          } else {
            base[ip.a] = try arithmetic(.multiply, x, y, Int(ip.n))
          }
        case .multiplyDoubleThenAdd:
          let x = base[ip.b], y = ip.nearConstant, z = base[(ip + 1).b]
          if Value.bothFlo(x, z), let d = Value.inlineDouble(z.floValue + x.floValue * y.floValue) {
            base[(ip + 1).a] = d
            ip += 1
          } else {
            base[ip.a] = try arithmetic(.multiply, x, y, Int(ip.n))
          }
        case .multiplyDoubleThenSubtract:
          let x = base[ip.b], y = ip.nearConstant, z = base[(ip + 1).b]
          if Value.bothFlo(x, z), let d = Value.inlineDouble(z.floValue - x.floValue * y.floValue) {
            base[(ip + 1).a] = d
            ip += 1
          } else {
            base[ip.a] = try arithmetic(.multiply, x, y, Int(ip.n))
          }
        case .multiplyInteger:
          let x = base[ip.b], y = ip.nearConstant
          if x.isFix, case (let r, false) = Value.fixMul(x, y) { base[ip.a] = r } else { base[ip.a] = try arithmetic(.multiply, x, y, Int(ip.n)) }
        case .divide:
          let x = base[ip.b], y = base[ip.c]
          if Value.bothFlo(x, y), let d = Value.inlineDouble(x.floValue / y.floValue) { base[ip.a] = d } else { base[ip.a] = try divide(x, y) }
        case .quotient:
          let x = base[ip.b], y = base[ip.c]
          base[ip.a] = Value.bothFix(x, y) && y.fixValue > 0 ? .fix(x.fixValue / y.fixValue) : try divide(.quotient, x, y)
        case .remainder:
          let x = base[ip.b], y = base[ip.c]
          base[ip.a] = Value.bothFix(x, y) && y.fixValue > 0 ? .fix(x.fixValue % y.fixValue) : try divide(.remainder, x, y)
        case .mod:
          let x = base[ip.b], y = base[ip.c]
          if Value.bothFix(x, y) && y.fixValue > 0 && x.fixValue >= 0 {
            base[ip.a] = .fix(x.fixValue % y.fixValue)
          } else {
            base[ip.a] = try modulo(x, y)
          }

        // MARK: Lists and dicts
        case .cons:
          let d = base[ip.c]
          base[ip.a] = d.isPair ? heap.cons(base[ip.b], d) : d.isEmptyList ? heap.pair(base[ip.b], .end, length: 1) : try consSlow(base[ip.b], d)
        case .first:
          let x = base[ip.b]
          base[ip.a] = x.isPair ? x.head : x.isKind(.slice) ? x.sliceHead : try firstSlow(x)
        case .rest:
          let x = base[ip.b]
          if x.isPair {
            let t = x.word(2)
            base[ip.a] = t.isPair ? ip.n != 0 ? t : heap.copyPair(t) : t == .end ? heap.emptyList() : heap.rest(x)
          } else {
            base[ip.a] = ip.n == 0 ? try restSlow(x) : x.isOwnRun ? x.advance() : try advance(x)
          }
        case .get:
          let d = base[ip.b], k = base[ip.c]
          base[ip.a] = d.isDict && k.isString ? heap.get(d, k) ?? .nil : try getSlow(d, k)

        case .getKey:
          let d = base[ip.b], key = ip.nearConstant, i = Int(ip.n)
          base[ip.a] = d.isFlatDict && i < d.length && d.flatKey(i) == key ? d.flatValue(i) : try getKey(d, key, ip)

        case .collect:
          if !base[ip.a].appendToOwnRun(base[ip.b]) { try collect(base + ip.a, base[ip.b]) }
        case .vectorRef: base[ip.a] = try vectorElement(base[ip.b], base[ip.c])
        case .vectorSet: try setVectorElement(base[ip.a], base[ip.b], base[ip.c])

        case .length: base[ip.a] = try length(base[ip.b])
        case .stringRef: base[ip.a] = try character(base[ip.b], base[ip.c])
        case .charToInteger:
          let x = base[ip.b]
          base[ip.a] = x.isCharacter ? x.characterCode : try primitive(.charToInteger, x)
        case .field:
          let f = globals[ip.c], record = base[ip.b]
          if f.isFieldAccess(arity: 1), record.isRecord(of: f) {
            base[ip.a] = record.word(f.fieldWord)
            ip += Int(ip.n)
          }
        case .setField:
          let f = globals[ip.c], record = base[ip.a]
          if f.isFieldAccess(arity: 2), record.isRecord(of: f) {
            record.setWord(f.fieldWord, base[ip.b])
            ip += Int(ip.n)
          }

        // MARK: Calls
        case .restart:
          let f = base[-1]
          safepoint.pointee &-= 1
          if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < base + f.closureFrameSize) {
            state.pointee.pc = ip
            state.pointee.base = base
            state.pointee.fp = fp
            if try beforeCall(base, f) { return .preempted }
            base = state.pointee.base
            fp = state.pointee.fp
            stackEnd = state.pointee.stackEnd
            continue
          }
          ip = f.closureEntry
          continue
        case .restartIfSelf:
          let f = base[-1]
          if globals[ip.selfIndex] == f {
            safepoint.pointee &-= 1
            if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < base + f.closureFrameSize) {
              state.pointee.pc = ip
              state.pointee.base = base
              state.pointee.fp = fp
              if try beforeCall(base, f) { return .preempted }
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
            ip = f.closureEntry
            continue
          }
        case .jumpUnlessSelf: if globals[ip.selfIndex] != base[-1] { ip += ip.offset }
        case .callGlobal:
          let f = globals[ip.index]
          if f.isClosure(arity: ip.n) {
            safepoint.pointee &-= 1
            let callee = base + (ip.a &+ 1)
            if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < callee + f.closureFrameSize) {
              state.pointee.pc = ip
              state.pointee.base = base
              state.pointee.fp = fp
              if try beforeCall(callee, f) { return .preempted }
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
            callee[-1] = f
            fp.pointee = Frame(pc: ip + 1, base: base)
            fp += 1
            base = callee
            ip = f.closureEntry
            continue
          } else {
            state.pointee.pc = ip + 1
            state.pointee.base = base
            state.pointee.fp = fp
            let result = try callSlow(f == .unbound ? boundGlobal(ip.index) : f, base + ip.a, Int(ip.n))
            if result != .unbound {
              base[ip.a] = result
            } else {
              state = self.state
              ip = state.pointee.pc
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
          }
        case .call:
          let f = base[ip.a]
          if f.isClosure(arity: ip.n) {
            safepoint.pointee &-= 1
            let callee = base + (ip.a &+ 1)
            if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < callee + f.closureFrameSize) {
              state.pointee.pc = ip
              state.pointee.base = base
              state.pointee.fp = fp
              if try beforeCall(callee, f) { return .preempted }
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
            fp.pointee = Frame(pc: ip + 1, base: base)
            fp += 1
            base = callee
            ip = f.closureEntry
            continue
          } else {
            state.pointee.pc = ip + 1
            state.pointee.base = base
            state.pointee.fp = fp
            let result = try callSlow(f, base + ip.a, Int(ip.n))
            if result != .unbound {
              base[ip.a] = result
            } else {
              state = self.state
              ip = state.pointee.pc
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
          }
        case .callRegister:
          let f = base[ip.b]
          if f.isClosure(arity: ip.n) {
            safepoint.pointee &-= 1
            let callee = base + (ip.a &+ 1)
            if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < callee + f.closureFrameSize) {
              state.pointee.pc = ip
              state.pointee.base = base
              state.pointee.fp = fp
              if try beforeCall(callee, f) { return .preempted }
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
            callee[-1] = f
            fp.pointee = Frame(pc: ip + 1, base: base)
            fp += 1
            base = callee
            ip = f.closureEntry
            continue
          } else {
            state.pointee.pc = ip + 1
            state.pointee.base = base
            state.pointee.fp = fp
            let result = try callSlow(f, base + ip.a, Int(ip.n))
            if result != .unbound {
              base[ip.a] = result
            } else {
              state = self.state
              ip = state.pointee.pc
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
          }
        case .callNative:
          state.pointee.pc = ip + 1
          state.pointee.base = base
          state.pointee.fp = fp
          let window = base + ip.a
          window.pointee = try ip.constant.unmanagedNative._withUnsafeGuaranteedRef { try $0.invoke(self, window, Int(ip.n)) }
        case .callSelf:
          let f = base[-1]
          safepoint.pointee &-= 1
          let callee = base + (ip.a &+ 1)
          if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < callee + f.closureFrameSize) {
            state.pointee.pc = ip
            state.pointee.base = base
            state.pointee.fp = fp
            if try beforeCall(callee, f) { return .preempted }
            base = state.pointee.base
            fp = state.pointee.fp
            stackEnd = state.pointee.stackEnd
            continue
          }
          callee[-1] = f
          fp.pointee = Frame(pc: ip + 1, base: base)
          fp += 1
          base = callee
          ip = f.closureEntry
          continue
        case .tailCallGlobal:
          let f = globals[ip.index]
          if f.isClosure(arity: ip.n) {
            safepoint.pointee &-= 1
            if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < base + f.closureFrameSize) {
              state.pointee.pc = ip
              state.pointee.base = base
              state.pointee.fp = fp
              if try beforeCall(base, f) { return .preempted }
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
            base[-1] = f
            Machine.moveDown(base, base + (ip.a &+ 1), ip.n)
            ip = f.closureEntry
            continue
          } else {
            state.pointee.pc = ip + 1
            state.pointee.base = base
            state.pointee.fp = fp
            let result = try tailCallSlow(f == .unbound ? boundGlobal(ip.index) : f, base + ip.a, Int(ip.n))
            if result != .unbound {
              base[-1] = result
              fp -= 1
              ip = fp.pointee.pc
              base = fp.pointee.base
              continue
            } else {
              state = self.state
              ip = state.pointee.pc
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
          }
        case .tailCall:
          let f = base[ip.a]
          if f.isClosure(arity: ip.n) {
            safepoint.pointee &-= 1
            if _slowPath(safepoint.pointee < 0) || _slowPath(stackEnd < base + f.closureFrameSize) {
              state.pointee.pc = ip
              state.pointee.base = base
              state.pointee.fp = fp
              if try beforeCall(base, f) { return .preempted }
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
            base[-1] = f
            Machine.moveDown(base, base + (ip.a &+ 1), ip.n)
            ip = f.closureEntry
            continue
          } else {
            state.pointee.pc = ip + 1
            state.pointee.base = base
            state.pointee.fp = fp
            let result = try tailCallSlow(f, base + ip.a, Int(ip.n))
            if result != .unbound {
              base[-1] = result
              fp -= 1
              ip = fp.pointee.pc
              base = fp.pointee.base
              continue
            } else {
              state = self.state
              ip = state.pointee.pc
              base = state.pointee.base
              fp = state.pointee.fp
              stackEnd = state.pointee.stackEnd
              continue
            }
          }
        case .return:
          base[-1] = base[ip.a]
          fp -= 1
          ip = fp.pointee.pc
          base = fp.pointee.base
          continue
        case .halt:
          state.pointee.pc = ip
          state.pointee.base = base
          state.pointee.fp = fp
          guard try leaveCoroutine() else { return .finished(current.stack[1]) }
          state = self.state
          ip = state.pointee.pc
          base = state.pointee.base
          fp = state.pointee.fp
          stackEnd = state.pointee.stackEnd
          continue

        // MARK: Dynamic state
        case .resumeCoroutine:
          state.pointee.pc = ip + 1
          state.pointee.base = base
          state.pointee.fp = fp
          try resume(base[ip.b], with: ip.n == 1 ? .nil : base[ip.c], slot: base + ip.a)
          state = self.state
          ip = state.pointee.pc
          base = state.pointee.base
          fp = state.pointee.fp
          stackEnd = state.pointee.stackEnd
          continue
        case .yieldCoroutine:
          state.pointee.pc = ip + 1
          state.pointee.base = base
          state.pointee.fp = fp
          try yield(base[ip.b], slot: base + ip.a)
          state = self.state
          ip = state.pointee.pc
          base = state.pointee.base
          fp = state.pointee.fp
          stackEnd = state.pointee.stackEnd
          continue
        case .popHandler: state.pointee.handlers = state.pointee.handlers.word(HandlerRecord.next)
        case .popBindings: state.pointee.bindings = base[ip.a]
        }
        ip += 1
      }
    } catch let suspension as Suspension {
      return suspension.exit
    } catch {
      // Whoever moved the stack or changed to another fiber before failing had spilled first, and what is here points to where it was.
      if state == self.state, state.pointee.stackEnd == stackEnd {
        state.pointee.pc = ip + 1
        state.pointee.base = base
        state.pointee.fp = fp
      }
      throw Unwinding(cause: error)
    }
  }

  /// Thrown where the running fiber has to stop, after saving its state: by a primitive that has parked it, and by a call when its time slice is over.
  struct Suspension: Error {
    var exit = Exit.suspended
  }

  /// Moves the arguments of a tail call to the start of the frame. One surplus move for n = 0 is harmless.
  @inline(__always) private static func moveDown(_ to: Registers, _ from: Registers, _ n: UInt8) {
    var k = 0
    repeat {
      to[k] = from[k]
      k &+= 1
    } while k < Int(n)
  }
}

/// Instructions whose work is so much that one call more does not show. They find the loop's state spilled and leave it so: what is not in the loop
/// takes no machine registers away from what is.
extension Machine {
  @inline(never) func executeSpilled(_ ip: InstructionPointer) throws {
    let base = state.pointee.base
    switch ip.pointee.op {
    case .setGlobal:
      _ = try boundGlobal(ip.index)
      try setGlobal(ip.index, base[ip.a])
    case .defineGlobal: try setGlobal(ip.index, base[ip.a])
    case .closure:
      base[ip.a] = makeClosure(ip, base)
      state.pointee.pc += Int(ip.n)
    case .dict: base[ip.a] = makeDict(ip, base)
    case .collected: base[ip.a] = collected(base[ip.b])
    case .reverse: base[ip.a] = try primitive(.reverse, base[ip.b])
    case .pushGuard: pushGuard(target: state.pointee.pc + ip.offset, base: base, fp: state.pointee.fp, register: ip.a | Int(ip.n) &<< 16)
    case .pushHandlers: pushHandlers(base[ip.a])
    case .pushBindings: try pushBindings(base + ip.a, Int(ip.n))
    default: break
    }
  }
}

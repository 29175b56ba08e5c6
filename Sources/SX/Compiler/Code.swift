/// A compiled function.
///
/// Its memory, in words: the cell of this code (so that an entry point leads to its owner), the instructions, the constants. The memory stays
/// where it is for as long as the cell lives; when the function is compiled anew, running frames keep using the old block.
final class Code {
  let lambda: Lambda
  private(set) var entry: InstructionPointer
  private(set) var frameSize: Int
  /// Primitives that it has, or had before a redefinition, open-coded: one bit each.
  private(set) var openCoded: UInt64
  private var blocks: [Block] = []

  private struct Block {
    let memory: UnsafeMutablePointer<UInt64>
    let instructions: Int
    let constants: Int
    let spans: [SourceSpan]
    var entry: InstructionPointer { UnsafeRawPointer(memory + 1).assumingMemoryBound(to: Instruction.self) }
  }

  init(_ lambda: Lambda) {
    self.lambda = lambda
    entry = InstructionPointer(bitPattern: 8).unsafelyUnwrapped
    frameSize = 0
    openCoded = 0
  }
  deinit { for block in blocks { block.memory.deallocate() } }

  /// Installs freshly compiled instructions; `cell` is the code's own.
  func install(_ instructions: [Instruction], _ spans: [SourceSpan], _ constants: [Value], frameSize: Int, openCoded: UInt64, cell: Value) {
    let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: 1 + instructions.count + constants.count)
    memory[0] = cell.bits
    for (i, instruction) in instructions.enumerated() { memory[1 + i] = unsafeBitCast(instruction, to: UInt64.self) }
    for (i, constant) in constants.enumerated() { memory[1 + instructions.count + i] = constant.bits }
    let block = Block(memory: memory, instructions: instructions.count, constants: constants.count, spans: spans)
    blocks.append(block)
    entry = block.entry
    self.frameSize = frameSize
    self.openCoded |= openCoded
  }

  /// Makes instructions that name a global name another one. Those of records that have no room for its index keep the old one: they see that it has
  /// another value, and leave the call to the instruction behind them.
  func redirect(_ global: Int, to other: Int) {
    for block in blocks {
      for i in 1...block.instructions {
        var instruction = unsafeBitCast(block.memory[i], to: Instruction.self)
        guard instruction.global == global else { continue }
        instruction.name(global: other)
        block.memory[i] = unsafeBitCast(instruction, to: UInt64.self)
      }
    }
  }

  func trace(_ marker: inout Marker) {
    for block in blocks {
      for i in 0..<block.constants { marker.mark(Value(bits: block.memory[1 + block.instructions + i])) }
      marker.note(external: (block.instructions * 2 + block.constants) * 8)
    }
    marker.note(external: Code.ownBytes)
  }
  /// About what an object of this class, its lambda and their arrays take.
  private static let ownBytes = 600
  var externalBytes: Int { blocks.reduce(Code.ownBytes) { $0 + ($1.instructions * 2 + $1.constants) * 8 } }

  /// Where the instruction before `pc` comes from.
  func span(before pc: InstructionPointer) -> SourceSpan {
    for block in blocks {
      let i = pc - block.entry - 1
      if i >= 0, i < block.instructions { return block.spans[i] }
    }
    return lambda.span
  }

  /// What takes the place of a name in traces and messages.
  var displayName: String { lambda.name.isEmpty ? "anonymous" : lambda.name }
  /// `(name a b &rest c)`.
  var signature: String {
    var parts = [displayName]
    for (i, parameter) in lambda.parameters.enumerated() {
      if lambda.hasRest, i == lambda.parameters.count - 1 { parts.append("&rest") }
      parts.append(parameter.name.text)
    }
    return "(" + parts.joined(separator: " ") + ")"
  }
  /// Byte 2 of a closure's header: the argument count for which a call needs no work.
  var arityByte: UInt8 { lambda.hasRest ? 255 : UInt8(lambda.required) }

  static func of(cell: Value) -> Code {
    Unmanaged<Code>.fromOpaque(UnsafeRawPointer(bitPattern: UInt(cell.cell[1])).unsafelyUnwrapped).takeUnretainedValue()
  }
  static func of(closure: Value) -> Code {
    of(cell: Value(bits: UnsafePointer<UInt64>(bitPattern: UInt(closure.cell[1])).unsafelyUnwrapped[-1]))
  }
}

extension Value {
  /// One comparison checks "is a closure" and "takes exactly n arguments".
  @inline(__always) func isClosure(arity n: UInt8) -> Bool {
    isCell && UInt32(truncatingIfNeeded: header) &>> 8 & 0xFFFF == UInt32(Kind.closure.rawValue) | UInt32(n) &<< 8
  }
  @inline(__always) var closureEntry: InstructionPointer { InstructionPointer(bitPattern: UInt(cell[1])).unsafelyUnwrapped }
  /// Number of parameters; 255 for a function with a rest parameter.
  @inline(__always) var closureArity: Int { Int(UInt8(truncatingIfNeeded: header &>> 16)) }
  @inline(__always) var closureFrameSize: Int { Int(UInt16(truncatingIfNeeded: header &>> 32)) }
  @inline(__always) func upvalue(_ i: Int) -> Value { word(2 &+ i) }
  @inline(__always) var boxed: Value { word(1) }
}

extension Heap {
  func code(_ code: Code) -> Value {
    let cell = allocate(words: 2, header: Kind.code.header | .ownsHeaderBit)
    cell[1] = UInt64(UInt(bitPattern: Unmanaged.passRetained(code).toOpaque()))
    return Value(cell)
  }
  /// A closure whose captured values the caller fills.
  func closure(_ code: Code, captures: Int) -> Value {
    let header = Kind.closure.header | UInt64(code.arityByte) &<< 16 | UInt64(code.frameSize) &<< 32 | UInt64(captures) &<< 48
    let cell = allocateLarge(words: 2 + captures, header: header)
    cell[1] = UInt64(UInt(bitPattern: code.entry))
    return Value(cell)
  }
}

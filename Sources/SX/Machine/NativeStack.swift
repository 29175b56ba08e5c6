internal import CNativeStack

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Watches the native stack where Swift code recurses along the nesting of a program, so that too deep a nesting is an error and not a crash.
final class NativeStack {
  private var thread: pthread_t?
  private var lowest: UInt = 0
  /// Left for what runs below the check.
  private static let reserve: UInt = 128 << 10

  /// Throws when the running thread has little stack left.
  func check(_ span: SourceSpan) throws {
    let here = withUnsafeTemporaryAllocation(byteCount: 16, alignment: 16) { UInt(bitPattern: $0.baseAddress) }
    if let known = thread, pthread_equal(known, pthread_self()) != 0, here > lowest { return }
    try measure(here, span)
  }

  @inline(never) private func measure(_ here: UInt, _ span: SourceSpan) throws {
    let own = pthread_self()
    if thread.map({ pthread_equal($0, own) == 0 }) ?? true {
      thread = own
      lowest = UInt(bitPattern: sx_native_stack_bottom()) + NativeStack.reserve
    }
    if here <= lowest {
      throw SyntaxError(message: "the source is nested too deeply to compile", span: span, hint: "the thread that runs the interpreter has too small a stack for it", isTooDeep: true)
    }
  }
}

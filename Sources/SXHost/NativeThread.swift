#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A thread with a stack of a chosen size, which Swift's own tasks cannot have.
struct NativeThread {
  private let thread: pthread_t

  /// Starts a thread.
  ///
  /// - Parameters:
  ///   - stackSizes: sizes in bytes, tried in this order: the system may refuse a big one. Pages that are never touched cost nothing.
  ///   - body: runs on the new thread.
  /// - Throws: `SystemError` when no size was accepted.
  init(stackSizes: [Int], _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    var refusal: Int32 = EAGAIN
    // A process that may map little needs most of it for other things.
    let most = ResourceLimit.addressSpace.current / 8
    for size in stackSizes where size <= most || size == stackSizes.last {
      var attributes = pthread_attr_t()
      pthread_attr_init(&attributes)
      defer { pthread_attr_destroy(&attributes) }
      guard pthread_attr_setstacksize(&attributes, size) == 0 else { continue }
      let start = Unmanaged.passRetained(Start(body))
      var thread = pthread_t(bitPattern: 0)
      refusal = pthread_create(
        &thread, &attributes,
        { start in
          Unmanaged<Start>.fromOpaque(start!).takeRetainedValue().body()
          return nil
        }, start.toOpaque())
      if refusal == 0 {
        self.thread = thread
        return
      }
      start.release()
    }
    throw SystemError("cannot start a thread", refusal)
  }

  /// Waits for the thread's end. Call it once; or `detach`, never both.
  func join() { pthread_join(thread, nil) }

  /// Lets the thread's resources go when it ends.
  func detach() { pthread_detach(thread) }

  /// What crosses the C interface of thread creation.
  private final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

/// A failed system call, with the system's own words.
struct SystemError: Error, CustomStringConvertible {
  let description: String
  let code: Int32

  init(_ action: String, _ code: Int32 = errno) {
    self.code = code
    self.description = "\(action): \(String(cString: strerror(code)))"
  }
}

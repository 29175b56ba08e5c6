import NIOCore

/// An action that is due at some time, unless it is set anew or cancelled before. Confined to an event loop.
final class Alarm {
  private var scheduled: Scheduled<Void>?

  var isSet: Bool { scheduled != nil }

  func set(_ time: TimeAmount, _ context: ChannelHandlerContext, _ action: @escaping () -> Void) {
    cancel()
    scheduled = context.eventLoop.assumeIsolated().scheduleTask(in: time) { [self] in
      scheduled = nil
      action()
    }
  }

  func cancel() {
    scheduled?.cancel()
    scheduled = nil
  }
}

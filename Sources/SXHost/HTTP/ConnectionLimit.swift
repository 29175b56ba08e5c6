import NIOCore

/// Accepts connections up to a limit; further ones wait in the system's queue until one of them ends.
///
/// Confined to the event loop of the listening socket.
final class ConnectionLimit: ChannelDuplexHandler {
  typealias InboundIn = any Channel
  typealias OutboundIn = Never

  private let limit: Int
  private var open = 0
  private var isReadHeld = false

  init(_ limit: Int) { self.limit = limit }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    open += 1
    unwrapInboundIn(data).closeFuture.hop(to: context.eventLoop).assumeIsolated().whenComplete { [self] _ in
      open -= 1
      guard isReadHeld else { return }
      isReadHeld = false
      context.read()
    }
    context.fireChannelRead(data)
  }

  func read(context: ChannelHandlerContext) {
    isReadHeld = open >= limit
    if !isReadHeld { context.read() }
  }
}

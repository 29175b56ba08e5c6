import NIOCore
import NIOHTTP1
import SX

/// One connection: takes requests in one after the other, hands them over, and writes their responses in the same order.
///
/// What a client may take of time and memory is limited by `ListenerOptions`:
///
/// - A head or a body that does not arrive in time is answered with 408, one that is not HTTP with 400, one too large with 431 or 413.
/// - `Expect: 100-continue` (RFC 9110, section 10.1.1) is answered, unless the body will be refused.
/// - A request is refused before its body has come: the connection then ends with the response, and what still comes is thrown away for
///   a moment, because closing at once would make the client's system drop the response (RFC 9112, section 9.6).
/// - Bodies that would take the server beyond its budget for all of them are answered with 503.
/// - What a client sends ahead while a request is answered, or while it does not take the responses, is read once; the rest waits in the system.
/// - A client that accepts nothing of its response for a while is cut off.
/// - A request whose body ends in the middle is never handled.
///
/// Confined to the connection's event loop.
final class HTTPConnection: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = Never
  typealias OutboundOut = HTTPServerResponsePart

  typealias Begin = @Sendable (Exchange, DatumDictionary) -> Void

  /// What comes next from the client.
  private enum Reading {
    case head
    case body(of: IncomingRequest)
    /// The rest of a body that nobody waits for: its request has been refused, or begun with.
    case unwanted
  }

  /// The request that is to be answered next.
  private struct Asked {
    let version: HTTPVersion
    let isHead: Bool
    /// Nil until it is handed over.
    var exchange: Exchange?
    var isStreaming = false
  }

  private struct Refusal {
    let status: HTTPResponseStatus
    let message: String
  }

  private let options: ListenerOptions
  private let budget: RequestBodyBudget
  private let date: DateField
  private let begin: Begin
  private var context: ChannelHandlerContext?
  private var channelOptions: (any NIOSynchronousChannelOptions)?
  private var origin = IncomingRequest.Origin(local: nil, remote: nil)

  private var reading = Reading.head
  private var asked: Asked?
  /// What has come of later requests.
  private var ahead = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 1)
  private var isTakingAhead = false
  private var isReadHeld = false
  /// Parts of requests have come since the last `channelReadComplete`.
  private var hasReadPart = false
  /// The client sends nothing more.
  private var isInputClosed = false
  private var bodyBytes = 0
  /// What the body that is being received holds; its exchange gets it.
  private var share: RequestBodyBudget.Share?

  /// The next response says that the connection ends with it.
  private var closesAfterResponse = false
  /// The client has asked for that: it sends nothing more.
  private var isLastRequest = false
  /// Nothing of what comes counts anymore, and nothing more is sent.
  private var isClosing = false
  /// Waits for the responses to earlier requests of a pipeline.
  private var pendingRefusal: Refusal?

  private let clock = Alarm()
  private var bodyStart = NIODeadline.now()
  private let stallCheck = Alarm()
  /// Counts up; nothing is written for long while the client takes nothing.
  private var flushes = 0
  private let idleCheck = Alarm()
  private var lastActivity = NIODeadline.now()

  /// How long a client may take to notice that nobody listens anymore.
  private static let linger = TimeAmount.seconds(2)
  /// How long a stopping server waits for a request that has arrived, but has not been read.
  private static let lastChance = TimeAmount.milliseconds(100)
  private static let stopping = "the server is stopping"

  /// - Parameter begin: hands a request to the interpreter.
  init(_ options: ListenerOptions, _ budget: RequestBodyBudget, _ date: DateField, begin: @escaping Begin) {
    self.options = options
    self.budget = budget
    self.date = date
    self.begin = begin
  }

  // MARK: Beginning and end

  func handlerAdded(context: ChannelHandlerContext) { (self.context, channelOptions) = (context, context.channel.syncOptions) }

  func channelActive(context: ChannelHandlerContext) {
    origin = IncomingRequest.Origin(local: context.channel.localAddress, remote: context.channel.remoteAddress)
    lastActivity = .now()
    idleCheck.set(options.idleTimeout, context) { [self] in checkForIdleness(context) }
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    isClosing = true
    for alarm in [clock, stallCheck, idleCheck] { alarm.cancel() }
    asked?.exchange?.clientHasGone()
    asked = nil
    ahead.removeAll()
    dropBody()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { (self.context, channelOptions) = (nil, nil) }

  /// Ends the connection as soon as the request in flight is answered; a stream ends at once.
  func finish() {
    guard let context, !isClosing else { return }
    closesAfterResponse = true
    if let asked {
      if asked.isStreaming { asked.exchange?.end() }
    } else {
      clock.set(Self.lastChance, context) { [self] in closeWhenSent(context: context) }
    }
  }

  /// The request in flight has had its time.
  func cutOff() {
    guard let context, !isClosing, let asked else { return }
    guard let exchange = asked.exchange else { return refuse(.serviceUnavailable, Self.stopping, context) }
    exchange.answer(.unavailable)
    exchange.abort()
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isClosing else { return }
    hasReadPart = true
    let part = unwrapInboundIn(data)
    if ahead.isEmpty, !mustWait(context) { take(part, context) } else { ahead.append(part) }
  }

  /// A request has come to its end, and its response has not.
  private var isBusy: Bool {
    if asked != nil, case .head = reading { true } else { false }
  }

  /// No request is begun with while the client has not taken the responses to earlier ones: they would pile up.
  private func mustWait(_ context: ChannelHandlerContext) -> Bool { isBusy || asked == nil && !context.channel.isWritable }

  private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    switch part {
    case .head(let head): takeHead(head, context)
    case .body(let bytes): takeBody(bytes, context)
    case .end: takeEnd(context)
    }
  }

  private func takeHead(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    clock.cancel()
    bodyBytes = 0
    asked = Asked(version: head.version, isHead: head.method == .HEAD)
    reading = .unwanted
    if !head.isKeepAlive { (closesAfterResponse, isLastRequest) = (true, true) }
    do {
      let request = try IncomingRequest(head, origin, options)
      if request.asksForAnotherProtocol { closesAfterResponse = true }
      if request.isTooLong { return refuseBody(of: request, context) }
      reading = .body(of: request)
      if request.expectsContinue {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
      }
    } catch {
      answer(error.status, error.message, context)
    }
  }

  private func takeBody(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
    bodyBytes += bytes.readableBytes
    guard case .body(var request) = reading else { return }
    let share = share ?? RequestBodyBudget.Share(of: budget)
    self.share = share
    guard share.grow(bytes.readableBytes) else {
      return refuse(.serviceUnavailable, "too many request bodies at a time", context)
    }
    // Held here alone, the body grows in place.
    reading = .unwanted
    request.append(bytes)
    if request.isTooLong { return refuseBody(of: request, context) }
    reading = .body(of: request)
  }

  private func takeEnd(_ context: ChannelHandlerContext) {
    clock.cancel()
    guard case .body(let request) = reading else { return reading = .head }
    reading = .head
    hand(over: request, context)
  }

  private func hand(over request: IncomingRequest, _ context: ChannelHandlerContext) {
    let exchange = Exchange(request, share.take(), on: context.eventLoop, with: self)
    asked?.exchange = exchange
    begin(exchange, request.datum)
  }

  private func refuseBody(of request: IncomingRequest, _ context: ChannelHandlerContext) {
    share = nil
    guard request.hasOwnLimit else {
      return answer(.payloadTooLarge, "the request body is longer than \(request.bodyLimit) bytes", context)
    }
    // Whoever asked for a limit of its own says no in its own words.
    hand(over: request.withoutBody, context)
  }

  private func dropBody() {
    if case .body = reading { reading = .unwanted }
    share = nil
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    awaitBody(context)
    // Bytes have come that were no whole head.
    if !hasReadPart, ahead.isEmpty, !mustWait(context), case .head = reading, !isInputClosed, !isClosing, !clock.isSet {
      clock.set(options.headerTimeout, context) { [self] in refuse(.requestTimeout, "the head of the request did not arrive in time", context) }
    }
    hasReadPart = false
    context.fireChannelReadComplete()
  }

  /// The rest of a body that has begun has its time.
  private func awaitBody(_ context: ChannelHandlerContext) {
    if case .head = reading { return }
    guard !isClosing, !clock.isSet else { return }
    bodyStart = .now()
    checkBody(context)
  }

  private func checkBody(_ context: ChannelHandlerContext) {
    let deadline = bodyStart + options.bodyTimeout + .milliseconds(Int64(bodyBytes) * 1000 / Int64(options.bodyRate))
    let left = deadline - .now()
    if left > .zero {
      clock.set(left, context) { [self] in checkBody(context) }
    } else {
      refuse(.requestTimeout, "the body of the request did not arrive in time", context)
    }
  }

  func read(context: ChannelHandlerContext) {
    isReadHeld = !ahead.isEmpty && !isClosing
    if !isReadHeld { context.read() }
  }

  private func resumeReading(_ context: ChannelHandlerContext) {
    guard isReadHeld else { return }
    isReadHeld = false
    context.read()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard !isClosing else { return }
    switch error {
    case HTTPParserError.headerOverflow, is ByteToMessageDecoderError.PayloadTooLargeError:
      refuse(.requestHeaderFieldsTooLarge, "the head of the request is too large", context)
    case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection: inputClosed(context)
    case is HTTPParserError: refuse(.badRequest, "this is not HTTP/1.1", context)
    case is IOError, is ChannelError: close(context)
    default: refuse(.badRequest, "the head of the request is not valid", context)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent { inputClosed(context) }
    context.fireUserInboundEventTriggered(event)
  }

  /// The client may still wait for what it has asked for.
  private func inputClosed(_ context: ChannelHandlerContext) {
    guard !isClosing, !isInputClosed else { return }
    isInputClosed = true
    guard let asked else {
      if ahead.isEmpty { closeWhenSent(context: context) }
      return
    }
    if case .body = reading { return close(context) }
    // Nothing tells a client that has left from one that reads for ever.
    if asked.isStreaming { close(context) }
  }

  // MARK: Responses

  /// The handler has an answer to the request in flight.
  func send(_ answer: Exchange.Answer, of exchange: Exchange) {
    guard let context, !isClosing, let asked, asked.exchange === exchange else { return exchange.clientHasGone() }
    switch answer {
    case .complete(let head, let body):
      write(head, body, context)
    case .unavailable:
      self.answer(.serviceUnavailable, Self.stopping, context)
    case .stream(let head):
      write(head, length: nil, context)
      guard head.mayHaveBody, !asked.isHead else {
        exchange.clientHasGone()
        return end(context)
      }
      self.asked?.isStreaming = true
      flush(context)
      if isInputClosed { close(context) } else { pump() }
    }
  }

  /// Sends what there is of a stream, for as long as the client takes it.
  func pump() {
    guard let context else { return }
    // A flush that makes room leads here again, and maybe to the end of the stream and the begin of another.
    while !isClosing, context.channel.isWritable, let asked, asked.isStreaming, let exchange = asked.exchange {
      switch exchange.nextChunk() {
      case nil: return
      case .bytes(let bytes):
        context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        flush(context)
      case .end: return end(context)
      // Without the final chunk the client sees that the connection broke.
      case .abort: return closeWhenSent(context: context)
      }
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    pump()
    if !ahead.isEmpty { takeAhead(context) }
    context.fireChannelWritabilityChanged()
  }

  /// Answers the request in flight in the server's own name.
  private func answer(_ status: HTTPResponseStatus, _ message: String, _ context: ChannelHandlerContext) {
    write(ResponseHead(status, ["Content-Type": "text/plain; charset=utf-8"]), ByteBuffer(string: message + "\n"), context)
  }

  /// Answers in the server's own name, when all before that is answered, and ends the connection.
  private func refuse(_ status: HTTPResponseStatus, _ message: String, _ context: ChannelHandlerContext) {
    clock.cancel()
    guard !isBusy, asked != nil || ahead.isEmpty else {
      // The decoder complains again about what comes behind.
      return pendingRefusal = pendingRefusal ?? Refusal(status: status, message: message)
    }
    if asked?.isStreaming == true { return close(context) }
    dropBody()
    asked = Asked(version: .http1_1, isHead: asked?.isHead ?? false)
    closesAfterResponse = true
    answer(status, message, context)
  }

  private func write(_ head: ResponseHead, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
    write(head, length: body.readableBytes, context)
    if body.readableBytes > 0, head.mayHaveBody, asked?.isHead == false { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
    end(context)
  }

  /// - Parameter length: of the body in bytes; nil for a stream.
  private func write(_ head: ResponseHead, length: Int?, _ context: ChannelHandlerContext) {
    guard let asked else { return }
    var fields = head.fields
    // While the body of its request is still coming, the response is the last one.
    if !isBusy || head.closesConnection || nothingFollows { closesAfterResponse = true }
    let isOld = asked.version == .http1_0
    if head.mayHaveBody {
      if let length {
        fields.add(name: "Content-Length", value: String(length))
      } else if isOld {
        closesAfterResponse = true
      } else if !asked.isHead {
        fields.add(name: "Transfer-Encoding", value: "chunked")
      }
    }
    if closesAfterResponse {
      fields.add(name: "Connection", value: "close")
    } else if isOld {
      fields.add(name: "Connection", value: "keep-alive")
    }
    fields.add(name: "Date", value: date.now)
    fields.add(name: "Server", value: "sx")
    if head.status == .serviceUnavailable, !fields.contains(name: "Retry-After") { fields.add(name: "Retry-After", value: "1") }
    context.write(wrapOutboundOut(.head(HTTPResponseHead(version: isOld ? .http1_0 : .http1_1, status: head.status, headers: fields))), promise: nil)
  }

  /// The client has sent nothing behind the request in flight that is to be answered, and will not.
  private var nothingFollows: Bool { isInputClosed && ahead.isEmpty && pendingRefusal == nil }

  private func end(_ context: ChannelHandlerContext) {
    asked = nil
    if closesAfterResponse { return hangUp(context) }
    context.write(wrapOutboundOut(.end(nil)), promise: nil)
    flush(context)
    lastActivity = .now()
    takeAhead(context)
  }

  /// Goes on with what had to wait.
  private func takeAhead(_ context: ChannelHandlerContext) {
    // A request that is answered at once leads here again.
    guard !isTakingAhead else { return }
    isTakingAhead = true
    while !isClosing, !mustWait(context), let part = ahead.popFirst() { take(part, context) }
    isTakingAhead = false
    guard ahead.isEmpty, !isClosing else { return }
    resumeReading(context)
    awaitBody(context)
    guard !isBusy else { return }
    if let pendingRefusal {
      refuse(pendingRefusal.status, pendingRefusal.message, context)
    } else if isInputClosed {
      closeWhenSent(context: context)
    }
  }

  // MARK: The end of a connection

  private func close(_ context: ChannelHandlerContext) {
    isClosing = true
    context.close(promise: nil)
  }

  /// - Parameter part: the last one; without it a body is left open.
  private func closeWhenSent(_ part: HTTPServerResponsePart = .body(.byteBuffer(ByteBuffer())), context: ChannelHandlerContext) {
    isClosing = true
    clock.cancel()
    let sent = context.eventLoop.makePromise(of: Void.self)
    context.write(wrapOutboundOut(part), promise: sent)
    sent.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    flush(context)
  }

  /// Ends the output when all of it has left, however slowly, and the connection a while after that: what the client is still sending would
  /// otherwise make its system drop the response.
  private func hangUp(_ context: ChannelHandlerContext) {
    if isLastRequest, ahead.isEmpty, case .head = reading { return closeWhenSent(.end(nil), context: context) }
    isClosing = true
    clock.cancel()
    let sent = context.eventLoop.makePromise(of: Void.self)
    context.write(wrapOutboundOut(.end(nil)), promise: sent)
    sent.futureResult.assumeIsolated().whenComplete { [self] _ in
      guard context.channel.isActive else { return }
      context.close(mode: .output, promise: nil)
      resumeReading(context)
      clock.set(Self.linger, context) { context.close(promise: nil) }
    }
    flush(context)
  }

  private func checkForIdleness(_ context: ChannelHandlerContext) {
    guard !isClosing else { return }
    var left = lastActivity + options.idleTimeout - .now()
    if asked != nil || clock.isSet || bufferedBytes > 0 { left = options.idleTimeout }
    if left <= .zero { return close(context) }
    idleCheck.set(left, context) { [self] in checkForIdleness(context) }
  }

  // MARK: Slow readers

  private func flush(_ context: ChannelHandlerContext) {
    flushes += 1
    context.flush()
    let waiting = bufferedBytes
    if waiting > 0, !stallCheck.isSet { checkForStall(context, after: waiting) }
  }

  private func checkForStall(_ context: ChannelHandlerContext, after waiting: Int) {
    stallCheck.set(options.writeTimeout, context) { [self, flushes] in
      let now = bufferedBytes
      if now == 0 { return }
      // As much may wait as before although the client takes what it gets: where a stream writes pieces of the same size.
      if now == waiting, flushes == self.flushes { return close(context) }
      checkForStall(context, after: now)
    }
  }

  private var bufferedBytes: Int { (try? channelOptions?.getOption(.bufferedWritableBytes)) ?? 0 }
}

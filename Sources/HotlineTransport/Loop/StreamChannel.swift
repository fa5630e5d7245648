import Glibc
import NIOCore

/// A stream socket as a NIO channel on an ``EpollLoop``: handlers work on it as on NIO's own.
///
/// Loop only, all of it. The descriptor is closed with the channel.
package final class StreamChannel: Channel, ChannelCore, @unchecked Sendable {
  enum Phase {
    /// Next: `.open`, `.closed`.
    case connecting(EventLoopPromise<Void>)
    /// Next: `.closed`.
    case open
    case closed
  }

  package let loop: EpollLoop
  package let allocator = ByteBufferAllocator()
  package let descriptor: CInt
  package internal(set) var isWritable = true
  private let closePromise: EventLoopPromise<Void>
  /// The two hold each other until the handlers are removed.
  private var pipelineOfThis: ChannelPipeline?
  private(set) var phase = Phase.open
  /// What epoll(7) watches for; nil before it does.
  private(set) var watched: Readiness?

  var reading = Reading()
  var writing = Writing()

  struct Reading {
    /// Reads again after each read.
    var isAutomatic = true
    /// Somebody wants what comes next.
    var isWanted = false
    /// Reads so often at most before the loop turns to its other descriptors.
    var countMax = 1
    /// The end of what the peer sends leaves the other direction open.
    var mayEndAlone = false
    /// The peer will send no more.
    var hasEnded = false
  }

  struct Writing {
    var pending = MarkedCircularBuffer<(ByteBuffer, EventLoopPromise<Void>?)>(initialCapacity: 1)
    /// Of what is pending, flushed or not.
    var bytes = 0
    var waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 << 10, high: 64 << 10)
    var isFlushing = false
    /// Nothing more is written; the socket is told when what is pending is out.
    var isEnding = false
    var hasEnded = false
    /// Why nothing can be written any more: the kernel tells it once, and then of an end.
    var failure: IOError?
  }

  /// - Parameter descriptor: a socket that does not block; of this channel from now on.
  init(_ descriptor: CInt, on loop: EpollLoop) {
    self.descriptor = descriptor
    self.loop = loop
    closePromise = loop.makePromise(of: Void.self)
    pipelineOfThis = ChannelPipeline(channel: self)
  }

  package var eventLoop: any EventLoop { loop }
  package var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
  package var _channelCore: any ChannelCore { self }
  package var parent: (any Channel)? { nil }
  package var localAddress: SocketAddress? { nil }
  /// What it was told to connect to.
  package private(set) var remoteAddress: SocketAddress?

  package var pipeline: ChannelPipeline {
    guard let pipelineOfThis else { preconditionFailure("a channel without a pipeline") }
    return pipelineOfThis
  }

  package var isActive: Bool {
    switch phase {
    case .open: true
    case .connecting, .closed: false
    }
  }

  var inbound: ChannelPipeline.SynchronousOperations { pipeline.syncOperations }

  // MARK: Beginning

  /// Begins to serve a socket that is connected, and reads at once what has come.
  func serve() {
    watch(for: [.reading, .readingEnd])
    inbound.fireChannelActive()
    readIfAutomatic()
    if isActive, reading.isWanted { readSome() }
  }

  func connect(to address: SocketAddress) -> EventLoopFuture<Void> {
    let connected = loop.makePromise(of: Void.self)
    phase = .connecting(connected)
    remoteAddress = address
    let result = address.withSockAddr { pointer, length in
      SystemCalls.connect(descriptor, to: UnsafeRawPointer(pointer), length: length)
    }
    switch result {
    case .done: opened(connected)
    case .wouldBlock: watch(for: .writing)
    case .failed(let number): close(IOError(errnoCode: number, reason: "connect"))
    }
    return connected.futureResult
  }

  private func connectionDecided() {
    guard case .connecting(let connected) = phase else { return }
    let number = SystemCalls.error(of: descriptor)
    guard number == 0 else { return close(IOError(errnoCode: number, reason: "connect")) }
    opened(connected)
  }

  private func opened(_ connected: EventLoopPromise<Void>) {
    phase = .open
    watch(for: .readingEnd)
    inbound.fireChannelActive()
    connected.succeed()
    readIfAutomatic()
  }

  private func watch(for readiness: Readiness) {
    guard watched != readiness else { return }
    if watched == nil {
      loop.watch(descriptor, for: readiness, self)
    } else {
      loop.change(descriptor, to: readiness)
    }
    watched = readiness
  }

  func watch(for part: Readiness, _ isWanted: Bool) {
    guard let watched, case .open = phase else { return }
    watch(for: isWanted ? watched.union(part) : watched.subtracting(part))
  }

  // MARK: Reading

  package func read0() {
    guard !reading.hasEnded else { return }
    reading.isWanted = true
    watch(for: .reading, true)
  }

  private func readIfAutomatic() {
    if isActive, reading.isAutomatic, !reading.hasEnded { pipeline.read() }
  }

  private func readSome() {
    guard reading.isWanted, !reading.hasEnded else { return watch(for: .reading, false) }
    for count in 0..<reading.countMax {
      switch readOnce() {
      case .more: continue
      case .nothingNow where count == 0: return
      case .done, .nothingNow: return readingPaused()
      case .ended: return
      }
    }
    readingPaused()
  }

  private func readingPaused() {
    guard isActive else { return }
    inbound.fireChannelReadComplete()
    readIfAutomatic()
  }

  /// Reads all that the peer has sent, as nothing more will come, whether or not it is wanted now.
  func readToEnd() {
    guard !reading.hasEnded else { return }
    while isActive {
      switch readOnce(isLast: true) {
      case .more: readingPaused()
      case .done, .nothingNow, .ended: return
      }
    }
  }

  private enum ReadResult {
    /// There may be more.
    case more
    case done
    case nothingNow
    case ended
  }

  private func readOnce(isLast: Bool = false) -> ReadResult {
    var result = CallResult.wouldBlock
    loop.readBuffer.clear()
    loop.readBuffer.writeWithUnsafeMutableBytes(minimumWritableBytes: EpollLoop.readBytesMax) {
      space in
      result = SystemCalls.read(descriptor, into: space)
      guard case .done(let count) = result else { return 0 }
      return count
    }
    switch result {
    case .done(0):
      ended()
      return .ended
    case .done:
      reading.isWanted = false
      let isFull = loop.readBuffer.writableBytes == 0
      inbound.fireChannelRead(NIOAny(loop.lendReadBuffer()))
      guard isActive else { return .ended }
      return isFull || isLast ? .more : .done
    case .wouldBlock:
      return .nothingNow
    case .failed(let number):
      fail(IOError(errnoCode: number, reason: "read"))
      return .ended
    }
  }

  private func ended() {
    inbound.fireChannelReadComplete()
    guard isActive else { return }
    if let failure = writing.failure { return fail(failure) }
    guard reading.mayEndAlone, !writing.hasEnded else { return close(ChannelError.eof) }
    reading.hasEnded = true
    reading.isWanted = false
    inbound.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    // Most are closed by now.
    watch(for: [.reading, .readingEnd], false)
  }

  // MARK: Closing

  package func close0(
    error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?
  ) {
    switch mode {
    case .all:
      close(error)
      promise?.succeed()
    case .output:
      if reading.hasEnded {
        close(error)
      } else if isActive, !writing.isEnding {
        writing.isEnding = true
        if writing.pending.isEmpty { endWriting() }
      }
      promise?.succeed()
    case .input:
      promise?.fail(ChannelError.operationUnsupported)
    }
  }

  /// Ends with an error, of which the handlers hear first.
  func fail(_ error: IOError) {
    inbound.fireErrorCaught(error)
    close(error)
  }

  func close(_ error: any Error) {
    let before = phase
    if case .closed = before { return }
    phase = .closed
    if watched != nil { loop.unwatch(descriptor, isClosing: true) }
    Glibc.close(descriptor)
    while let (_, promise) = writing.pending.popFirst() { promise?.fail(error) }
    writing.bytes = 0
    switch before {
    case .connecting(let connected): connected.fail(error)
    case .open: inbound.fireChannelInactive()
    case .closed: break
    }
    // Later, as handlers may be under way.
    loop._executeIsolatedUnsafeUnchecked { [self] in
      removeHandlers(pipeline: pipeline)
      closePromise.succeed()
    }
  }
}

extension StreamChannel: DescriptorObserver {
  func descriptorBecame(_ readiness: Readiness) {
    if case .connecting = phase { return connectionDecided() }
    if readiness.contains(.writing) { writeMarked() }
    guard isActive else { return }
    if readiness.isDisjoint(with: [.readingEnd, .hangUp, .error]) {
      if readiness.contains(.reading) { readSome() }
      return
    }
    let isOver = !readiness.isDisjoint(with: [.hangUp, .error])
    if !isOver { watch(for: .readingEnd, false) }
    readToEnd()
    guard isOver, isActive else { return }
    let number = SystemCalls.error(of: descriptor)
    fail(IOError(errnoCode: number == 0 ? ECONNRESET : number, reason: "reset"))
  }

  func loopEnds() { close(ChannelError.eof) }
}

import HotlineCore
import HotlineWire
import NIOCore

/// Hears of one local connection; every call comes on the daemon loop.
package protocol ClientHandlerDelegate: AnyObject {
  /// The connection stands; nothing has been read from it.
  func clientConnected(_ client: ClientHandler)
  /// One line, without its end. It shares memory with all that was read with it: to keep it, keep
  /// ``NIOCore/ByteBuffer/withoutSlack()``.
  func clientSent(_ client: ClientHandler, line: ByteBuffer)
  /// A line was longer than the limit; it is being skipped.
  func clientSentTooLong(_ client: ClientHandler)
  /// A line was given up half-way because the daemon holds too much; it is being skipped.
  func clientLineAbandoned(_ client: ClientHandler)
  /// What came in one go has been read.
  func clientReadCompleted(_ client: ClientHandler)
  /// The client has shut down its writing side; every line has been read. At most once.
  func clientHalfClosed(_ client: ClientHandler)
  /// The client has taken what the channel held for it.
  func clientDrained(_ client: ClientHandler)
  /// The client is gone; every line that it wrote has been read. The last call.
  func clientClosed(_ client: ClientHandler)
}

/// What a local connection may hold.
package struct ClientHandlerLimits: Sendable {
  /// Bytes of one line, without its end.
  package var lineBytesMax = 64 << 20
  /// Bytes of the daemon's own lines that may wait unread before no more is read from the client.
  package var ownBytesMax = 1 << 20

  package init() {}
}

/// One local connection: bytes in, lines out to its delegate; lines in, bytes out.
///
/// Lines are collected and written once per wake-up: whoever appends calls ``flush()`` at the end.
/// Confined to the daemon loop.
package final class ClientHandler: ChannelInboundHandler, ChannelOutboundHandler {
  package typealias InboundIn = ByteBuffer
  package typealias OutboundIn = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  private static let lingerTime: TimeAmount = .seconds(2)

  package let number: ClientNumber
  /// A place for the daemon to keep what it knows of this client.
  package var commandName: String?
  package var processID: Int32 = 0
  package var uid: UInt32 = 0
  /// The configuration lets it in, whoever it is.
  package var isAllowed = false
  /// Of a client that is neither the owner nor root: its groups when it connected.
  package var groupIDs: Set<UInt32> = []
  /// When the client shut down its writing side, and when it got its last line.
  package var halfClosedAt: MonotonicInstant?
  package var lastWriteAt: MonotonicInstant?
  /// It stands in the list of those to be flushed.
  package var isMarkedDirty = false
  package internal(set) var isOpen = false

  let limits: ClientHandlerLimits
  let ledger: MemoryLedger
  private let buffers: BufferPool
  weak var delegate: (any ClientHandlerDelegate)?
  var context: ChannelHandlerContext? {
    didSet { stream = context?.channel as? StreamChannel }
  }
  /// The same channel, which is another only in tests.
  private var stream: StreamChannel?

  var framer: LineFramer
  /// What was read and is not yet a line, and whole lines while reading is paused.
  var unread = ByteBuffer()
  /// Bytes read and not given out: those of ``unread``, also while it is being worked on.
  var unreadByteCount = 0
  /// Something was read since the last completion.
  var hasRead = false
  /// Lines are being given out: what is read meanwhile waits its turn.
  var isReadingLines = false
  /// Whole lines wait in ``unread`` until the client has read more of the daemon's own lines.
  var isPaused = false
  /// The same for what is still in the socket.
  var hasHeldRead = false
  var isResumeScheduled = false
  /// The client will send no more.
  var hasEnded = false
  var isHalfClosed = false
  var isClosing = false
  private var isLingering = false
  /// Runs from the end of what is written to a client that lingers.
  var lingerTimer: Scheduled<Void>?

  /// Lines that the next flush writes.
  var out: ByteBuffer?
  /// Bytes that were given to the channel and not yet taken by the client, as last looked up.
  private var bytesInChannel = 0
  /// Memory of the one buffer that the channel may hold.
  private var capacityInChannel = 0
  private var isAwaitingDrain = false
  private var ownLines = OwnLines()
  private var bytesAccounted = 0

  package init(
    number: ClientNumber, limits: ClientHandlerLimits, buffers: BufferPool, ledger: MemoryLedger,
    delegate: any ClientHandlerDelegate
  ) {
    self.number = number
    self.limits = limits
    self.buffers = buffers
    self.ledger = ledger
    self.delegate = delegate
    framer = LineFramer(lineBytesMax: limits.lineBytesMax)
  }

  /// Bytes of one line, without its end.
  package var lineBytesMax: Int {
    get { framer.lineBytesMax }
    set { framer.lineBytesMax = newValue }
  }

  // MARK: Writing

  /// Bytes of lines that the client has not taken yet.
  package var unreadBytes: Int {
    let waiting = out?.readableBytes ?? 0
    guard bytesInChannel > 0 else { return waiting }
    lookUpChannel()
    return waiting + bytesInChannel
  }

  /// A line of the daemon's own: it counts towards the limit at which reading stops.
  package func writeOwn(_ line: [UInt8]) {
    guard isOpen, !isClosing else { return }
    write(byteCount: line.count) { target in target.copyBytes(from: line) }
    ownLines.wrote(line.count, at: ownLines.bytesWritten)
  }

  /// A line that belongs to a request.
  package func write(_ line: [UInt8]) {
    write(byteCount: line.count) { target in target.copyBytes(from: line) }
  }

  /// A line that `fill` puts in place: exactly `byteCount` bytes.
  package func write(byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
    guard isOpen, !isClosing else { return }
    var buffer = out.take() ?? buffers.take()
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { target in
      fill(UnsafeMutableRawBufferPointer(rebasing: target[..<byteCount]))
      return byteCount
    }
    out = buffer
    ownLines.bytesWritten += byteCount
  }

  /// Hands the collected lines to the channel, which holds one buffer of them at a time: what comes
  /// for a slow reader is collected until it has taken that one, or each line would keep a buffer.
  package func flush() {
    if let context, !isAwaitingDrain, let buffer = out.take() { hand(buffer, to: context) }
    account()
    if isPaused || hasHeldRead { resumeReading() }
  }

  private func hand(_ buffer: consuming ByteBuffer, to context: ChannelHandlerContext) {
    capacityInChannel = buffer.storageCapacity
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    lookUpChannel()
    guard bytesInChannel == 0 else {
      awaitDrain(context)
      return
    }
    buffers.giveBack(buffer)
    ownLines.forgetRead(unreadBytes: out?.readableBytes ?? 0)
  }

  /// Learns when a backlog has gone: most writes need no promise, because the kernel takes all.
  private func awaitDrain(_ context: ChannelHandlerContext) {
    isAwaitingDrain = true
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.drained() }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
  }

  private func drained() {
    isAwaitingDrain = false
    lookUpChannel()
    ownLines.forgetRead(unreadBytes: unreadBytes)
    flush()
    if isClosing { closeWhenWritten() } else { delegate?.clientDrained(self) }
  }

  private func lookUpChannel() {
    if let stream, isOpen {
      bytesInChannel = stream.bufferedBytes
    } else if isOpen, let options = context?.channel.syncOptions {
      bytesInChannel = (try? options.getOption(.bufferedWritableBytes)) ?? 0
    } else {
      bytesInChannel = 0
    }
  }

  // MARK: Closing

  /// Writes what is still to be written, then closes; no more lines are taken.
  ///
  /// - Parameter lingers: the client was not heard out and may be writing. What it writes is read
  ///   and thrown away until it closes, for 2 s at most: if its write failed, it might end (socat
  ///   does) before it has read why.
  package func close(lingers: Bool = false) {
    guard isOpen, !isClosing else { return }
    flush()
    isClosing = true
    isPaused = false
    isLingering = lingers && !hasEnded
    unread = ByteBuffer()
    unreadByteCount = 0
    account()
    closeWhenWritten()
  }

  private func closeWhenWritten() {
    lookUpChannel()
    guard out == nil, bytesInChannel == 0, let context, lingerTimer == nil else { return }
    guard isLingering else { return context.close(promise: nil) }
    context.close(mode: .output, promise: nil)
    lingerTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) {
      [weak self] in self?.drop()
    }
  }

  /// Closes at once, whatever is unwritten.
  func drop() {
    context?.close(promise: nil)
  }

  /// Nothing can be written any more.
  func discardUnwritten() {
    isOpen = false
    out = nil
    bytesInChannel = 0
    ownLines.forgetRead(unreadBytes: 0)
  }

  // MARK: Limits

  /// Whether the client may be heard, and told what it need not know: not while too many of the
  /// daemon's own lines wait there.
  package var mayRead: Bool {
    guard ownLines.mayExceed(limits.ownBytesMax) else { return true }
    return ownLines.unread(unreadBytes: unreadBytes) < limits.ownBytesMax
  }

  /// Whether any of the daemon's own lines may still be unread.
  var hasOwnLinesNoted: Bool { !ownLines.isEmpty }

  /// Tells the ledger what is held now.
  func account() {
    var bytes = unreadByteCount + (out?.readableBytes ?? 0)
    if bytesInChannel > 0 { bytes += max(bytesInChannel, capacityInChannel) }
    guard bytes != bytesAccounted else { return }
    ledger.change(by: bytes - bytesAccounted)
    bytesAccounted = bytes
  }
}

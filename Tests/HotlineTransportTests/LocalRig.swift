import HotlineCore
import NIOCore
import NIOEmbedded
import Synchronization

@testable import HotlineTransport

/// Notes every call of one client, and may act within it.
final class RecordingClientDelegate: ClientHandlerDelegate {
  enum Call: Hashable {
    case connected
    case line(String)
    case tooLong
    case abandoned
    case readCompleted
    case halfClosed
    case drained
    case closed
  }

  var calls: [Call] = []
  var onCall: ((ClientHandler, Call) -> Void)?

  /// All but the ends of reads and writes.
  var told: [Call] { calls.filter { $0 != .readCompleted && $0 != .drained } }

  private func note(_ client: ClientHandler, _ call: Call) {
    calls.append(call)
    onCall?(client, call)
  }

  func clientConnected(_ client: ClientHandler) { note(client, .connected) }
  func clientSent(_ client: ClientHandler, line: ByteBuffer) {
    note(client, .line(String(buffer: line)))
  }
  func clientSentTooLong(_ client: ClientHandler) { note(client, .tooLong) }
  func clientLineAbandoned(_ client: ClientHandler) { note(client, .abandoned) }
  func clientReadCompleted(_ client: ClientHandler) { note(client, .readCompleted) }
  func clientHalfClosed(_ client: ClientHandler) { note(client, .halfClosed) }
  func clientDrained(_ client: ClientHandler) { note(client, .drained) }
  func clientClosed(_ client: ClientHandler) { note(client, .closed) }
}

/// A client handler in an embedded channel, whose kernel takes everything at once.
final class LocalRig {
  let channel = EmbeddedChannel()
  let delegate = RecordingClientDelegate()
  let buffers = BufferPool()
  let ledger: MemoryLedger
  let client: ClientHandler

  init(_ limits: ClientHandlerLimits = .init(), memoryMax: Int = 1 << 30) throws {
    ledger = MemoryLedger(limit: memoryMax)
    client = ClientHandler(
      number: ClientNumber(1), limits: limits, buffers: buffers, ledger: ledger,
      delegate: delegate)
    try channel.pipeline.syncOperations.addHandler(client)
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/hotline.sock")).wait()
    delegate.calls = []
  }

  /// One read of the socket.
  func receive(_ text: String) throws { try receive(ByteBuffer(string: text)) }
  func receive(_ bytes: ByteBuffer) throws { try channel.writeInbound(bytes) }

  func halfClose() {
    channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
  }

  func hangUp() { channel.close(promise: nil) }

  func sent() throws -> [String] {
    var writes: [String] = []
    while let part = try channel.readOutbound(as: ByteBuffer.self) {
      writes.append(String(buffer: part))
    }
    return writes
  }
}

extension ClientHandlerLimits {
  init(lineBytesMax: Int = 64, ownBytesMax: Int = 1 << 20) {
    self.init()
    self.lineBytesMax = lineBytesMax
    self.ownBytesMax = ownBytesMax
  }
}

import HotlineCore
import HotlineTransport
import HotlineWire
import NIOCore

/// What the driver keeps of an open request: who wants it, and its bytes.
final class RequestRecord {
  let number: RequestNumber
  /// Nil once the client is gone.
  weak var client: ClientHandler?
  /// The value of `request_id` as the client spelt it.
  let idSpelling: [UInt8]
  /// Accounting label that the client chose.
  let tag: String?
  /// Its message; nil once nothing can make us send it again.
  private(set) var message: OutboundMessage?
  private let ledger: MemoryLedger

  init(
    number: RequestNumber, client: ClientHandler, idSpelling: [UInt8], tag: String?,
    message: OutboundMessage, ledger: MemoryLedger
  ) {
    self.number = number
    self.client = client
    self.idSpelling = idSpelling
    self.tag = tag
    self.message = message
    self.ledger = ledger
    ledger.change(by: message.line.readableBytes)
  }

  func releaseMessage() {
    guard let message else { return }
    ledger.change(by: -message.line.readableBytes)
    self.message = nil
  }

  deinit { releaseMessage() }
}

extension OutboundMessage {
  /// The same message, to be kept: see ``NIOCore/ByteBuffer/withoutSlack()``.
  func withoutSlack() -> OutboundMessage {
    OutboundMessage(line: line.withoutSlack(), pieces: pieces)
  }
}

/// What the driver keeps of an upstream connection.
final class UpstreamLink {
  let number: ConnectionNumber
  let upstream: UpstreamIndex
  var handler: UpstreamHandler?
  /// The request that runs on it: the way of its events without a look-up.
  var running: RequestRecord?
  var facts: UpgradeFacts?
  /// Bytes of a message that is not complete yet, as last accounted.
  var bytesAccounted = 0
  var patience = Patience.fresh

  /// How long its server has been held up for a client that reads slowly.
  enum Patience {
    /// Not at all. Next: `.wanted` when an event comes for a client that is full.
    case fresh
    /// At the end of this read it will be. Next: `.holding`.
    case wanted
    /// It is. Next: `.fresh` when the client has caught up, `.spent` when the timer fires.
    case holding(Scheduled<Void>)
    /// Long enough. Next: `.fresh` when the client has caught up.
    case spent
  }

  init(_ number: ConnectionNumber, of upstream: UpstreamIndex) {
    self.number = number
    self.upstream = upstream
  }
}

/// One upstream as the driver needs it.
struct UpstreamRuntime {
  let configuration: UpstreamConfiguration
  let endpoint: UpstreamEndpoint
  let dialect: UpstreamDialect

  var options: UpstreamHandler.Options {
    var options = UpstreamHandler.Options()
    options.eventBytesMax = configuration.limits.eventBytesMax
    options.connectTimeout = configuration.limits.connectTimeout
    return options
  }
}

import HotlineCore
import HotlineTransport
import HotlineWire
import NIOCore

/// What the driver keeps of an open request: who wants it, and its bytes.
final class RequestRecord {
  let number: RequestNumber
  /// Takes no more lines once it is gone. Not weak: what is referred to weakly is counted by the
  /// slow path for ever, and this is touched for every event.
  let client: ClientHandler
  /// The value of `request_id` as the client spelt it.
  let idSpelling: [UInt8]
  /// Accounting label that the client chose.
  let tag: String?
  /// The model that it is for, its own or the default one.
  let model: String?
  /// Where it waits or runs; another where it had to be moved.
  var upstream: UpstreamIndex
  let arrivedAt: MonotonicInstant
  /// Its line; nil once nothing can make us send it again.
  private(set) var line: ByteBuffer?
  /// What of the line goes to the server: the message is made when it is known which one takes it.
  let body: RequestBody
  /// Where it was sent last.
  var connection: ConnectionNumber?
  private let ledger: MemoryLedger

  init(
    number: RequestNumber, client: ClientHandler, idSpelling: [UInt8], tag: String?,
    model: String?, upstream: UpstreamIndex, at now: MonotonicInstant, line: ByteBuffer,
    body: RequestBody, ledger: MemoryLedger
  ) {
    self.number = number
    self.client = client
    self.idSpelling = idSpelling
    self.tag = tag
    self.model = model
    self.upstream = upstream
    arrivedAt = now
    self.line = line
    self.body = body
    self.ledger = ledger
    ledger.change(by: line.readableBytes)
  }

  func releaseLine() {
    guard let line else { return }
    ledger.change(by: -line.readableBytes)
    self.line = nil
  }

  deinit { releaseLine() }
}

import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// What a warm-up has cost; nobody asked for it.
struct WarmUpEnd {
  /// What it is counted under.
  static let tag = "warm_up"

  /// The daemon's own.
  var uid: UInt32
  var model: String?
  var upstream: String
  /// Nil where the server did not say.
  var usage: TokenUsage?
  /// In US dollars; nil where the price of a part of it is not known.
  var cost: Double?
}

/// What the daemon sends on its own behalf.
extension DaemonLoop {
  /// A warm-up may be paid for.
  func mayWarmUp(_ upstream: UpstreamIndex) -> Bool {
    let budgets = configuration.budgets
    guard budgets.isSet, upstreams[upstream.rawValue].configuration.warmUp != nil else {
      return true
    }
    return spending.refusal(tag: WarmUpEnd.tag, budgets, on: today()) == nil
  }

  func warmUp(_ number: RequestNumber, on connection: ConnectionNumber, _ lane: Int?) {
    guard let link = links[connection], let handler = link.handler,
      let request = upstreams[link.upstream.rawValue].configuration.warmUp
    else { preconditionFailure("a warm-up that is not configured, or on no connection") }
    link.warmUpModel = upstreams[link.upstream.rawValue].warmUpModel
    let message = link.dialect.message(forAccepted: request.body, lane: lane)
    handler.send(
      OutboundMessage(line: ByteBuffer(bytes: request.line), message), token: number.rawValue)
  }

  func account(forWarmUpOf connection: ConnectionNumber, _ usage: ByteString?) {
    guard let link = links[connection] else { return }
    let usage = usage.flatMap { TokenUsage($0) }
    let cost = cost(of: usage, model: link.warmUpModel, upstream: link.upstream)
    let end = WarmUpEnd(
      uid: broker.ownerUID, model: link.warmUpModel,
      upstream: upstreams[link.upstream.rawValue].configuration.name, usage: usage, cost: cost)
    statistics.warmUpEnded(end, on: today())
    spent(cost, of: usage, model: end.model, tag: WarmUpEnd.tag)
    onChange?()
  }

  func giveUpWarmUps(_ upstream: UpstreamIndex, _ reason: WarmUps.Reason) {
    let why =
      switch reason {
      case .refused(let words): "the server refused one: \(words)"
      case .overdue: "one did not end within abandoned_timeout"
      case .failing: "several in a row failed or were lost with their connections"
      }
    log.warning(
      "no more warm-ups until a reload; leave warm_up out if the server does not know them",
      metadata: [
        "upstream": "\(upstreams[upstream.rawValue].configuration.name)", "reason": "\(why)",
      ])
    onChange?()
  }
}

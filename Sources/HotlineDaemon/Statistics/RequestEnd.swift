import HotlineCore
import HotlineWire

/// What is told of a request that has ended: whose it was, how it went, what it used; nothing of
/// what was asked or answered.
struct RequestEnd {
  var client: ClientNumber
  var uid: UInt32
  var processID: Int32
  /// The client's command; `?` where it was gone before anybody looked.
  var command: String
  /// The value of its `request_id` as spelt.
  var idSpelling: [UInt8]
  /// What it is counted under: its own `tag`, or else the command.
  var tag: String
  var model: String?
  /// Its name.
  var upstream: String
  var error: HotlineError.Code?
  var completion: Completion
  /// Of all its responses; nil where the server did not say.
  var usage: TokenUsage?
  /// In US dollars; nil where the price of a part of it is not known.
  var cost: Double?
}

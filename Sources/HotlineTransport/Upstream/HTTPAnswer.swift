import NIOCore

/// Reads what a server or a proxy answers to one request: interim heads, the head that counts, and
/// of a refusal the beginning of its body.
///
/// Pure value; daemon loop.
struct HTTPAnswer {
  enum Progress {
    case incomplete
    /// A head came that refuses; its body is waited for.
    case awaitingBody
    /// What is left of the input is no HTTP any more.
    case accepted(HTTPHead)
    case refused(HTTPHead, UpgradeRefusal)
    /// More interim heads than may come, or a 101 that was not asked for.
    case tooManyInterim
    /// With all that was read.
    case malformed(HTTPHeadError, [UInt8])
  }

  private enum State {
    /// Next: `.body` on a refusal; `.done`.
    case head(HTTPHeadReader, interim: Int)
    /// Next: `.done` when enough of the body is there or no more will come.
    case body(HTTPHead, UpgradeRefusal)
    case done
  }

  private let accepted: ClosedRange<Int>
  private let redactor: SecretRedactor
  private let limits: UpgradeLimits
  private var state: State

  /// - Parameter accepted: the statuses of what was asked for.
  init(accepted: ClosedRange<Int>, redactor: SecretRedactor, limits: UpgradeLimits) {
    self.accepted = accepted
    self.redactor = redactor
    self.limits = limits
    state = .head(Self.reader(limits), interim: 0)
  }

  private static func reader(_ limits: UpgradeLimits) -> HTTPHeadReader {
    HTTPHeadReader(headBytesMax: limits.headBytesMax, fieldsMax: limits.fieldsMax)
  }

  mutating func received(_ input: inout ByteBuffer) -> Progress {
    while true {
      switch state {
      case .head(var reader, let interim):
        do throws(HTTPHeadError) {
          guard let head = try reader.read(&input) else {
            state = .head(reader, interim: interim)
            return .incomplete
          }
          if let progress = headReceived(head, interim: interim) { return progress }
        } catch {
          state = .done
          return .malformed(error, reader.bytes)
        }
      case .body(let head, var refusal):
        refusal.received(&input)
        state = .body(head, refusal)
        guard refusal.isComplete else { return .awaitingBody }
        state = .done
        return .refused(head, refusal)
      case .done:
        return .incomplete
      }
    }
  }

  /// The stream ended, or the time to wait for a body did; `nil` if no refusal had come by then.
  mutating func ended() -> (HTTPHead, UpgradeRefusal)? {
    guard case .body(let head, let refusal) = state else { return nil }
    state = .done
    return (head, refusal)
  }

  /// `nil`: go on reading.
  private mutating func headReceived(_ head: HTTPHead, interim: Int) -> Progress? {
    if accepted.contains(head.status) {
      state = .done
      return .accepted(head)
    }
    guard (100..<200).contains(head.status) else {
      state = .body(
        head, UpgradeRefusal(head, redactor: redactor, bodyBytesMax: limits.bodyBytesMax))
      return nil
    }
    guard interim < limits.interimMax, head.status != 101 else {
      state = .done
      return .tooManyInterim
    }
    state = .head(Self.reader(limits), interim: interim + 1)
    return nil
  }
}

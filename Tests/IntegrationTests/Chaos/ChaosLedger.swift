import Foundation
import TestSupport

/// What is known of all requests together, to be compared with what the server says it received.
///
/// Any thread.
final class ChaosLedger: @unchecked Sendable {
  /// A request that has ended, or whose client has left.
  private struct Entry {
    var request: ChaosRequest
    /// Nobody has read its end.
    var isLeft: Bool
  }

  // Guarded by `lock`.
  private var entries: [String: Entry] = [:]
  private var responses: [String: String] = [:]
  private var askedCount = 0
  private var failed = false
  private var drains = false
  private var hasDrained = false
  private let lock = NSLock()

  /// Requests asked so far.
  var asked: Int { lock.withLock { askedCount } }

  /// Somebody has found a fault: the others need not go on.
  var hasFailed: Bool { lock.withLock { failed } }

  /// The daemon may be refusing new requests.
  var isDraining: Bool {
    get { lock.withLock { drains } }
    set {
      lock.withLock {
        drains = newValue
        if newValue { hasDrained = true }
      }
    }
  }

  /// What the daemon refuses now it takes again later.
  ///
  /// - Throws: `TestFailure` if nobody has drained it yet.
  func waitWhileDraining() throws {
    guard lock.withLock({ hasDrained }) else { throw TestFailure("refused without a drain") }
    try poll(for: "the drain's end", within: .seconds(90)) {
      isDraining && !hasFailed ? nil : ()
    }
  }

  func fail() { lock.withLock { failed = true } }
  func ask() { lock.withLock { askedCount += 1 } }

  /// - Throws: `TestFailure` if its response was another request's before.
  func end(_ request: ChaosRequest, isLeft: Bool = false) throws {
    let other: String? = lock.withLock {
      entries[request.token] = Entry(request: request, isLeft: isLeft)
      return request.responseID.flatMap { responses.updateValue(request.token, forKey: $0) }
    }
    if let other { throw request.failure("the response was that of \(other) before") }
  }

  /// How many ended in each way: an outcome, with the code where the daemon or the server gave one.
  var endings: [String: Int] {
    lock.withLock {
      entries.values.reduce(into: [:]) { counts, entry in
        counts[entry.isLeft ? "left" : entry.request.ending, default: 0] += 1
        if entry.request.isResent { counts["(sent again)", default: 0] += 1 }
        if let lane = entry.request.lane { counts["(\(lane))", default: 0] += 1 }
      }
    }
  }

  // MARK: The server's word

  /// Compares with the simulator's record of received requests.
  ///
  /// - Returns: how many requests it received twice.
  /// - Throws: `TestFailure` for the first request of which the two tell different things.
  func compare(withRecord text: String) throws -> Int {
    var received: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      received[String(line.split(separator: " ").last ?? ""), default: 0] += 1
    }
    let entries = lock.withLock { self.entries }
    for token in received.keys where entries[token] == nil {
      throw TestFailure("the server received \(token), which nobody asked")
    }
    for (token, entry) in entries {
      try compare(entry, count: received[token] ?? 0)
    }
    return received.values.count { $0 > 1 }
  }

  private func compare(_ entry: Entry, count: Int) throws {
    let request = entry.request
    let times = "the server received it \(count) times"
    if count > 2 { throw request.failure(times) }
    if count > 1, !request.options.mayBeReceivedTwice {
      throw request.failure("\(times) without leave")
    }
    if count > 1, !entry.isLeft, !request.isResent {
      throw request.failure("\(times), and its last line does not say so")
    }
    if count > 0, request.sent == "no" { throw request.failure("\(times), but sent is no") }
    let isKnown = request.isAnswered || request.sent == "yes"
    // The server says so of a connection whose end the request has met on its way.
    let isUnread = request.code == "websocket_connection_limit_reached"
    if count == 0, isKnown, !isUnread {
      throw request.failure("answered, but the server knows nothing of it")
    }
  }
}

extension ChaosRequest {
  fileprivate var ending: String {
    if isRefused { return "refused: \(code ?? "")" }
    return [outcome ?? "?", code].compactMap(\.self).joined(separator: ": ")
  }
}

extension Line {
  /// Every token in the line, from whichever request.
  var tokens: [String] {
    let length = "tk-00-00000".utf8.count
    var found: [String] = []
    bytes.withUnsafeBytes { all in
      var start = 0
      // Hyphens are rare; the C library finds them many times faster than a loop of a debug build.
      while start < all.count, let base = all.baseAddress,
        let hit = memchr(base + start, 0x2D, all.count - start)
      {
        let hyphen = UnsafeRawPointer(hit) - base
        start = hyphen + 1
        guard hyphen >= 2, all[hyphen - 2] == UInt8(ascii: "t"),
          all[hyphen - 1] == UInt8(ascii: "k")
        else { continue }
        let token = all[(hyphen - 2)..<min(all.count, hyphen - 2 + length)]
        found.append(String(decoding: token, as: UTF8.self))
        start = token.endIndex
      }
    }
    return found
  }
}

import TestSupport

/// A client that asks many requests, side by side and over several connections, and checks every
/// line that comes.
///
/// Confined to a thread of its own.
struct ChaosClient {
  /// What it does beside asking.
  enum Habit: CaseIterable {
    case steady
    /// Cancels one request in ten.
    case cancelling
    /// Leaves in the middle of answers.
    case hangingUp
    /// Shuts its writing side down as soon as it has asked.
    case halfClosing
    /// Asks within conversations, each request after the one before.
    case conversing
    /// Asks more at once than it may.
    case greedy
  }

  private static let lineTimeout: Duration = .seconds(60)
  private static let conversations = ["one", "two", "three"]

  let index: Int
  let count: Int
  private let socketPath: String
  private let ledger: ChaosLedger
  /// Which it asks.
  private let upstream: String
  private let habit: Habit
  private var random: SplitMix64
  private var asked = 0
  private var open: [String: ChaosRequest] = [:]
  /// Ids of open requests in the order in which they were asked.
  private var order: [String] = []
  /// The daemon has refused one for the moment: asks one at a time until one of them ends.
  private var isHeldBack = false
  /// The daemon drains: asks nothing until that is over.
  private var isShutOut = false
  /// Requests that had ended before their cancel arrived: one refusal each.
  private var cancelsToRefuse: Set<String> = []
  /// The latest response of each conversation.
  private var latest: [String: String] = [:]

  init(
    index: Int, count: Int, socketPath: String, upstream: String, ledger: ChaosLedger, seed: UInt64
  ) {
    self.index = index
    self.upstream = upstream
    self.count = count
    self.socketPath = socketPath
    self.ledger = ledger
    habit = Habit.allCases[index % Habit.allCases.count]
    random = SplitMix64(seed: seed &+ UInt64(index) &* 7919)
  }

  /// Asks all and reads all answers.
  ///
  /// - Throws: `TestFailure` at the first line that is wrong or missing.
  mutating func run() throws {
    while asked < count, !ledger.hasFailed {
      let client = try LineClient(socketPath)
      switch habit {
      case .hangingUp: try readSome(1 + random.below(150), with: client)
      case .halfClosing: try readAll(asking: min(1 + random.below(12), count - asked), client)
      case .steady, .cancelling, .conversing, .greedy: try readAll(asking: count - asked, client)
      }
    }
  }

  private var windowMax: Int { habit == .greedy ? 20 : 6 }

  // MARK: Connections

  /// Asks, reads every answer, and leaves in order.
  private mutating func readAll(asking number: Int, _ client: LineClient) throws {
    let end = asked + number
    try fill(client, upTo: end)
    if habit == .halfClosing { client.shutDownWriting() }
    while !open.isEmpty {
      try take(line(of: client))
      if habit != .halfClosing {
        try cancelSome(client)
        if open.count < windowMax / 2 { try fill(client, upTo: end) }
      }
    }
    client.shutDownWriting()
    while let line = try client.next() { try take(line) }
    if let id = cancelsToRefuse.first { throw TestFailure("the cancel of \(id) was not answered") }
  }

  /// Asks, reads some lines, and hangs up.
  private mutating func readSome(_ number: Int, with client: LineClient) throws {
    try fill(client, upTo: count)
    for _ in 0..<number where !open.isEmpty {
      try take(line(of: client))
      if open.count < windowMax / 2 { try fill(client, upTo: count) }
    }
    client.close()
    for request in open.values { try ledger.end(request, isLeft: true) }
    open = [:]
    order = []
    cancelsToRefuse = []
  }

  private func line(of client: LineClient) throws -> Line {
    do {
      return try client.line(within: Self.lineTimeout)
    } catch {
      let lost = order.first.flatMap { open[$0] }
      throw lost?.failure("client \(index), \(open.count) open: \(error)") ?? error
    }
  }

  // MARK: Asking

  private mutating func fill(_ client: LineClient, upTo end: Int) throws {
    if isShutOut {
      // What is open goes on meanwhile, and has to be read.
      if open.isEmpty { try ledger.waitWhileDraining() }
      isShutOut = ledger.isDraining
      if isShutOut { return }
    }
    let window = 1 + (isHeldBack ? 0 : random.below(windowMax))
    while open.count < window, asked < end, !ledger.hasFailed {
      let request = nextRequest()
      open[request.id] = request
      order.append(request.id)
      try client.send(request.line)
    }
  }

  private mutating func nextRequest() -> ChaosRequest {
    var options = ChaosOptions.any(&random)
    options.upstream = upstream
    if habit == .conversing {
      let conversation = random.pick(Self.conversations)
      options.conversation = "\(index)-\(conversation)"
      if random.oneIn(2) { options.previousResponseID = latest[conversation] }
    }
    let number = asked
    asked += 1
    ledger.ask()
    return ChaosRequest(
      token: "tk-\(padded(index, 2))-\(padded(number, 5))",
      id: random.oneIn(4) ? "\(number)" : #""c\#(index).\#(number)""#, options: options)
  }

  private func padded(_ number: Int, _ length: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, length - digits.utf8.count)) + digits
  }

  private mutating func cancelSome(_ client: LineClient) throws {
    // About a dozen lines come for a request.
    guard random.oneIn(habit == .cancelling ? 100 : 1500), !order.isEmpty else { return }
    let id = random.pick(order)
    guard open[id]?.isCancelSent == false else { return }
    open[id]?.isCancelSent = true
    try client.send(#"{"type":"response.cancel","request_id":\#(id)}"#)
  }

  // MARK: Answers

  private mutating func take(_ line: Line) throws {
    guard let id = line.idSpelling else { throw TestFailure("client \(index), no id: \(line)") }
    if line.code == "unknown_request_id", cancelsToRefuse.remove(id) != nil { return }
    guard var request = open[id] else {
      throw TestFailure("client \(index) got a line of no open request: \(line)")
    }
    let wasAnswered = request.isAnswered
    try request.take(line)
    open[id] = request
    if !wasAnswered, request.isAnswered { try checkTurn(of: request) }
    if request.stage == .ended { try end(request) }
  }

  /// Within a conversation nothing comes of a request before those asked earlier have ended.
  private func checkTurn(of request: ChaosRequest) throws {
    guard let conversation = request.options.conversation else { return }
    let earlier = order.prefix { $0 != request.id }.compactMap { open[$0] }
    if let other = earlier.first(where: { $0.options.conversation == conversation }) {
      throw request.failure("it came before its turn, which is that of \(other.token)")
    }
  }

  private mutating func end(_ request: ChaosRequest) throws {
    open[request.id] = nil
    order.removeAll { $0 == request.id }
    if request.code == "shutting_down" { isShutOut = true }
    isHeldBack = request.isRefused ? isHeldBack || !request.options.isInvalid : false
    if request.isCancelSent, request.outcome != "cancelled" { cancelsToRefuse.insert(request.id) }
    if let name = request.options.conversation?.split(separator: "-").last {
      latest[String(name)] = request.outcome == "completed" ? request.responseID : nil
    }
    try ledger.end(request)
  }
}

extension Line {
  /// The value of `request_id` as it was spelt, for ids of digits and for those without escapes.
  fileprivate var idSpelling: String? {
    if let text = self.request_id.string { return "\"\(text)\"" }
    return self.request_id.integer.map(String.init)
  }
}

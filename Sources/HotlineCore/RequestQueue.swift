import DequeModule

/// Requests of one upstream that any connection may take: fair between clients, with two
/// priorities of which the lower is never starved.
///
/// Each client has its own line; clients take turns, so that one with 500 waiting requests delays
/// another's first by one response per connection. Every operation takes constant time, amortised:
/// a request that leaves without being served is only counted out, and skipped when met.
struct RequestQueue: Sendable {
  /// The turn-taking lines of one priority.
  private struct Turns {
    var lines: [ClientNumber: Deque<RequestNumber>] = [:]
    var order: Deque<ClientNumber> = []

    mutating func append(_ request: RequestNumber, of client: ClientNumber) {
      if lines[client] == nil { order.append(client) }
      lines[client, default: []].append(request)
    }

    /// The next of `members`; other entries are dropped when met, and take no turn.
    mutating func popFirst(
      of members: [RequestNumber: Priority], dropped: inout Int
    ) -> RequestNumber? {
      while let client = order.popFirst() {
        while let request = lines[client]?.popFirst() {
          guard members[request] != nil else {
            dropped += 1
            continue
          }
          if lines[client]?.isEmpty == true { lines[client] = nil } else { order.append(client) }
          #if HOTLINE_PLANTED_FAULTS
            if PlantedFault.current == .servesOneClientAgainAndAgain, order.last == client {
              order.removeLast()
              order.prepend(client)
            }
          #endif
          return request
        }
        lines[client] = nil
      }
      return nil
    }
  }

  /// What came back from lost connections: before everything else, in the order it came. Few, as
  /// only what ran comes back: looking through them takes time in proportion to their number.
  private(set) var returned: Deque<RequestNumber> = []
  private var interactive = Turns()
  private var batch = Turns()
  /// The requests that still wait in the lines, with the priority each waits at.
  private var members: [RequestNumber: Priority] = [:]
  private var batchCount = 0
  /// Entries in lines that are no longer members.
  private var deadCount = 0
  private var interactiveInARow = 0
  /// Interactive requests served between two batch requests while both wait.
  var interactiveWeight: Int

  init(interactiveWeight: Int) {
    self.interactiveWeight = interactiveWeight
  }

  var count: Int { members.count + returned.count }
  var isEmpty: Bool { members.isEmpty && returned.isEmpty }
  /// Something waits that any connection may serve.
  var hasNew: Bool { !members.isEmpty }
  /// Something of the higher priority is among it.
  var hasInteractive: Bool { members.count > batchCount }

  /// `atFront`: before everything that waits, for a request that comes back from a lost connection.
  mutating func add(
    _ request: RequestNumber, of client: ClientNumber, priority: Priority, atFront: Bool = false
  ) {
    guard !atFront else { return returned.append(request) }
    members[request] = priority
    switch priority {
    case .interactive:
      interactive.append(request, of: client)
    case .batch:
      batchCount += 1
      batch.append(request, of: client)
    }
  }

  /// Forgets a request that no longer waits; false if it did not wait here.
  @discardableResult
  mutating func remove(_ request: RequestNumber) -> Bool {
    if forget(request) {
      deadCount += 1
      if deadCount > members.count + 64 { compact() }
      return true
    }
    guard let index = returned.firstIndex(of: request) else { return false }
    returned.remove(at: index)
    return true
  }

  /// The next of those that did not come back.
  mutating func popFirst() -> RequestNumber? {
    guard hasNew else { return nil }
    let isBatchTurn =
      batchCount > 0 && (!hasInteractive || interactiveInARow >= interactiveWeight)
    var dropped = 0
    let request =
      isBatchTurn
      ? batch.popFirst(of: members, dropped: &dropped)
      : interactive.popFirst(of: members, dropped: &dropped)
    deadCount -= dropped
    guard let request, forget(request) else {
      preconditionFailure("the count of waiting requests and their lines disagree")
    }
    interactiveInARow = isBatchTurn || batchCount == 0 ? 0 : interactiveInARow + 1
    return request
  }

  private mutating func forget(_ request: RequestNumber) -> Bool {
    guard let priority = members.removeValue(forKey: request) else { return false }
    if priority == .batch { batchCount -= 1 }
    return true
  }

  private mutating func compact() {
    compact(&interactive)
    compact(&batch)
    deadCount = 0
  }

  private func compact(_ turns: inout Turns) {
    for (client, line) in turns.lines {
      let living = line.filter { members[$0] != nil }
      turns.lines[client] = living.isEmpty ? nil : Deque(living)
    }
    turns.order.removeAll { turns.lines[$0] == nil }
  }
}

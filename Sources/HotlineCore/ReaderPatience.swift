/// How long one server is held up for a client that reads slowly.
///
/// A client that reads as fast as it can may still be slower than a burst of its server, or get one
/// event that is larger than all that may wait unread. Its server is held up a little then, if the
/// connection carries this one response: nobody else is. With others beside it nobody is.
///
/// Pure value, one for each upstream connection, confined to the daemon loop.
package struct ReaderPatience: Sendable {
  package enum State: Hashable, Sendable, CaseIterable {
    /// Not at all. Next: `.wanted` when an event comes for a client that is full.
    case fresh
    /// At the end of this read it will be. Next: `.holding`.
    case wanted
    /// It is. Next: `.fresh` when the client has caught up, `.spent` when the time is over.
    case holding
    /// Long enough. Next: `.fresh` when the client has caught up.
    case spent
  }

  package private(set) var state = State.fresh

  package init() {}

  /// Longest time that a server may be held up; half of what a pong may take, at most 5 s.
  package static func holdTime(pongTimeout: Duration) -> Duration {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .holdsAServerUpTooLong { return pongTimeout }
    #endif
    return min(.seconds(5), pongTimeout / 2)
  }

  /// What counts against a client when an event comes for it: nothing while there is patience.
  ///
  /// - Parameters:
  ///   - unread: bytes that it has not taken yet.
  ///   - isAlone: nothing else runs on the connection.
  ///   - isOverMemory: the daemon holds more than `memoryBytesMax`. Then whoever has not read what
  ///     it has gets no more.
  package mutating func unreadBytes(
    _ unread: Int, isAlone: Bool, isOverMemory: Bool, limits: Limits
  ) -> Int {
    let isOverMemory = isOverMemory && unread > 0
    guard unread >= limits.bufferBytesMax || isOverMemory else { return unread }
    let counted = isOverMemory ? Broker.unreadBytesOverMemory : unread
    guard isAlone else { return counted }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .losesPatienceAtOnce { return counted }
      if PlantedFault.current == .neverLosesPatience { return 0 }
    #endif
    switch state {
    case .fresh:
      state = .wanted
      return 0
    case .wanted, .holding: return 0
    case .spent: return counted
    }
  }

  /// What one read brought has been taken, the rest can wait.
  ///
  /// - Returns: whether to stop reading now, for ``holdTime(pongTimeout:)`` at most.
  package mutating func readEnded() -> Bool {
    guard case .wanted = state else { return false }
    state = .holding
    return true
  }

  /// The time is over: the server is read on.
  package mutating func timeRanOut() {
    if case .holding = state { state = .spent }
  }

  /// The client has caught up, or its request has ended.
  ///
  /// - Returns: whether reading was stopped.
  @discardableResult
  package mutating func released() -> Bool {
    defer { state = .fresh }
    if case .holding = state { return true }
    return false
  }
}

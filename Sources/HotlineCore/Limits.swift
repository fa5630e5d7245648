/// What the daemon as a whole may hold; the defaults suit a laptop.
package struct Limits: Hashable, Sendable {
  /// Local connections at once.
  package var clientsMax = 1024
  /// Bytes of one line from a client, without its LF.
  package var lineBytesMax = 64 << 20
  /// Objects and arrays within one another in a line from a client.
  package var nestingMax = 64
  /// Open requests of one client.
  package var requestsPerClientMax = 64
  /// Bytes that may wait unread at one client when another event arrives for it.
  package var bufferBytesMax = 16 << 20
  /// Bytes of all lines and events held; over it lines are not read on, new requests are refused.
  package var memoryBytesMax = 512 << 20
  /// Requests waiting for a connection, over all upstreams.
  package var queueRequestsMax = 1024
  /// Longest wait for a connection, unless the request says otherwise.
  package var waitTimeout: Duration = .seconds(120)
  /// Longest whole request, unless the request says otherwise.
  package var requestTimeout: Duration = .seconds(30 * 60)
  /// Time to finish accepted requests after SIGTERM.
  package var shutdownTimeout: Duration = .seconds(30)
  /// A request that waits longer than this is told so, once.
  package var queuedNoticeAfter: Duration = .milliseconds(100)
  /// Response ids, and conversations, remembered per upstream; the oldest is forgotten.
  package var affinityEntriesMax = 4096
  /// Interactive requests served between two batch requests while both wait.
  package var interactiveWeight = 8

  package init() {}
}

/// What becomes of a connection when its running response is cancelled or loses its client.
package enum CancelPolicy: String, Hashable, Sendable, CaseIterable {
  /// It is closed and replaced: the quickest end, at the price of a dial.
  case drop
  /// The response is read to its end and discarded, within `abandonedTimeout`.
  case drain
  /// The server is asked to end it (`response.cancel`), and then as `drain`: for servers of the
  /// Realtime API.
  case ask
}

/// What becomes of requests while one of the server's rate limits is used up.
package enum RateLimitPolicy: String, Hashable, Sendable, CaseIterable {
  /// They wait until it is whole again.
  case wait
  /// They are sent, for the server to judge.
  case send
}

/// What one upstream may use; the defaults are those of the Smart AIPI preset.
package struct UpstreamLimits: Hashable, Sendable {
  /// Connections kept ready and idle.
  package var connectionsWarm = 1
  /// Connections at once; a replacement that takes over may exceed it by one for a moment.
  package var connectionsMax = 8
  /// Responses at once on one connection.
  package var lanes = 1
  /// Name resolution, TCP, TLS and upgrade together.
  package var connectTimeout: Duration = .seconds(15)
  /// Silence after which a connection is pinged.
  package var pingInterval: Duration = .seconds(25)
  /// Wait for a pong before the connection counts as dead.
  package var pongTimeout: Duration = .seconds(10)
  /// Dials at once; one at a time after a failure.
  package var dialsMax = 4
  /// The same for an idle connection after a suspend or a change of the network.
  package var probeTimeout: Duration = .seconds(3)
  /// Time since the last request or response after which an idle connection is replaced.
  package var idleLimit: Duration = .seconds(14 * 60)
  /// Age at which a connection is replaced.
  package var ageLimit: Duration = .seconds(55 * 60)
  /// No new response on a connection with less than this left of its age, if another can take
  /// it; at most a tenth of `ageLimit` counts.
  package var ageMargin: Duration = .seconds(5 * 60)
  /// Idle time after which a connection beyond `connectionsWarm` is closed.
  package var shrinkAfter: Duration = .seconds(5 * 60)
  /// How long a conversation's request waits for the connection of its conversation.
  package var patience: Duration = .milliseconds(50)
  /// Time of nothing but failures to connect after which requests fail instead of waiting.
  package var circuitAfter: Duration = .seconds(30)
  /// Longest time to read an unwanted response to its end before its connection is dropped.
  package var abandonedTimeout: Duration = .seconds(60)
  /// Longest wait, after the end of a response that its client has steered, for the answers to
  /// what the client said and for the response that follows.
  package var steerTimeout: Duration = .seconds(30)
  /// What becomes of a connection whose response nobody wants any more.
  package var cancel: CancelPolicy = .drop
  package var rateLimits: RateLimitPolicy = .wait
  /// Bytes of one message to the server.
  package var messageBytesMax = 15 << 20
  /// Bytes of one message from the server.
  package var eventBytesMax = 64 << 20

  package init() {}
}

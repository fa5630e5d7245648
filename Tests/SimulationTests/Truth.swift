import HotlineCore

/// A local program, as it really is.
struct SimulatedClient {
  enum Line: Hashable {
    /// Nothing was connected yet, or all is over.
    case gone
    case open
    case halfClosed
  }

  let number: ClientNumber
  let uid: UInt32
  var line = Line.open
  /// The core took it, so that its lines are read.
  var isAccepted = true
  var closeIsAsked = false
  /// It reads nothing, so that what is written to it waits.
  var isStalled = false
  var unreadBytes = 0
  var open: [RequestID: RequestNumber] = [:]
  /// Ids of requests that it made, open or not, for cancels and re-use.
  var idsUsed: [RequestID] = []
  /// Responses that it could continue.
  var responses: [ByteString] = []
}

/// A connection between the driver and a simulated server, as it really is.
struct SimulatedConnection {
  enum State: Hashable {
    case dialing
    case open
    /// Its end has been told to the core.
    case gone
  }

  let number: ConnectionNumber
  let upstream: UpstreamIndex
  var state = State.dialing
  /// The core asked to close it.
  var closeIsAsked = false
  /// It no longer exists on the server's side.
  var isCut = false
  /// Nothing comes from it any more, though it looks open.
  var isSilent = false
  var openedAt: Int64 = 0
  /// When its latest response ended, or it opened.
  var activeAt: Int64 = 0
  /// The request whose response is not over, as far as the core can know.
  var current: RequestNumber?
  /// When what has been planned on it so far is over on the server's side.
  var busyUntil: Int64 = 0
  /// The latest response that its server finished.
  var latestResponse: ByteString?
  /// A message that nobody can tell from one of the running request has arrived: from then on,
  /// without lanes, nobody can tell what belongs to whom here.
  var isConfused = false
  var steered: RequestNumber?

  /// The core believes that it is open.
  var isOpenToCore: Bool { state == .open && !closeIsAsked }
  /// It counts against `connectionsMax`.
  var isLiving: Bool { state != .gone && !closeIsAsked }
}

/// An accepted request, as it really fared.
struct TrueRequest {
  /// One sending of it to a connection.
  struct Attempt {
    var connection: ConnectionNumber
    /// The core was told that its last byte was handed over.
    var isHandedOver = false
    /// A message that is or may be of it, and no notice, was told.
    var isAnswered = false
    /// A `response.*` event that is or may be of it was told.
    var isBegun = false
    /// The server refused it because of the connection.
    var isRefused = false
    var responseID: ByteString?
  }

  let number: RequestNumber
  let client: ClientNumber
  let uid: UInt32
  let id: RequestID
  let spec: NewRequest
  let arrivedAt: Int64
  let deadline: Int64
  let waitTimeout: Int64
  var attempts: [Attempt] = []
  var isOpen = true
  var isNoticed = false
  var delivered = 0
  var cancelIsAsked = false
  /// The terminal event of it, or what may be it, that was told last.
  var terminal: Outcome?
  /// An `error` that is or may be its was told.
  var errorIsTold = false
  /// Requests of each other client that were served while it was the first of its own to wait.
  var overtakers: [ClientNumber: Int] = [:]

  /// Any connection may serve it, nothing holds it back, and it has not been served.
  var isPlain: Bool {
    spec.conversation == nil && spec.previousResponseID == nil && attempts.isEmpty
  }
  var wasHandedOver: Bool { attempts.contains(where: \.isHandedOver) }
}

import HotlineCore

/// One entry for each code; `ErrorPageTests` misses those that are not there.
extension ErrorPage {
  static let explanations: [HotlineError.Code: Explanation] = refusals.merging(endings) { $1 }

  private static let refusals: [HotlineError.Code: Explanation] = [
    .invalidJSON: .init(
      "The line is not one JSON object in UTF-8, or is nested too deep.",
      "The message names the byte. One object stands on one line: have a JSON library write it."),
    .lineTooLong: .init(
      "The line is longer than line_bytes_max. It was skipped to its end.",
      "Send less, such as a picture's address instead of the picture, or raise the limit."),
    .invalidRequest: .init(
      "A member is missing, wrong, given twice or not for clients; error.param names it. Or a "
        + "reload met a configuration with errors, which are named.",
      "Mend what is named. The message says what it takes."),
    .unknownType: .init(
      "The type of the line is none that programs may send.",
      "The message lists those that there are."),
    .unknownUpstream: .init(
      "The configuration has no upstream of the name in hotline.upstream, or no longer.",
      "Choose one of those that the message lists, or add it to the configuration and reload."),
    .duplicateRequestID: .init(
      "A request of this id is still open on the same connection; it goes on.",
      "Give each request an id of its own, or none."),
    .unknownRequestID: .init(
      "No request of this id is open on this connection: it has ended, or it was another's.",
      "Nothing, if it was to be cancelled: it has had its last line. Else check the id; "
        + "1 and \"1\" differ."),
    .sharedConnection: .init(
      "The line would change the state of a connection to the server that others share.",
      "Say it in each request, such as instructions."),
    .notAllowed: .init(
      "The daemon does not serve this user, or only its owner and root may do this.",
      "Run a daemon of your own, or have the owner name you in allowed_uids or allowed_gids."),
    .notConfigured: .init(
      "The service manager started the daemon for this client, but it cannot run: it has no key, "
        + "or its configuration has errors.",
      "The message says which. Most often: hotline key set. Then ask again."),
    .tooManyClients: .init(
      "clients_max programs are connected, or file descriptors are short. The daemon closes.",
      "Close connections that nobody uses (hotline status lists them), or raise the limit."),
    .tooManyRequests: .init(
      "This connection has requests_per_client_max open requests already.",
      "Wait for one to end, such as with hotline send --jobs, or raise the limit."),
    .queueFull: .init(
      "More than requests_max requests wait for a connection, or what the daemon holds for its "
        + "clients is more than memory_max.",
      "Try again later, with fewer at once. If that is usual, raise connections_max or the limit."),
    .messageTooLarge: .init(
      "The message to the server would be longer than message_bytes_max.",
      "Send less. Servers close a connection for a message of 16 MiB, so that a higher limit "
        + "rarely helps."),
    .budgetExceeded: .init(
      "What budget_usd_per_day allows all requests, or those of one tag, was spent today.",
      "Wait for the time that the message names, the next local midnight; or have the owner raise "
        + "the limit in the configuration and reload. hotline stats shows what was spent."),
  ]

  private static let endings: [HotlineError.Code: Explanation] = [
    .queueTimeout: .init(
      "No connection was free within queue_timeout_ms, or the request's turn in its conversation "
        + "did not come. The message repeats the last failure to connect, if there was one.",
      "Try again later. With a failure to connect, run hotline doctor; else raise connections_max "
        + "or the time."),
    .timeout: .init(
      "The whole request took longer than timeout_ms.",
      "Raise it, or ask for less. It may be billed."),
    .upstreamUnavailable: .init(
      "The server has been out of reach for longer than circuit_after, so that requests no longer "
        + "wait for it.",
      "Run hotline doctor, which tries each step on the way. The daemon tries again by itself, "
        + "each minute at first."),
    .upstreamAuth: .init(
      "The server refused the key: status 401 or 403 at the upgrade.",
      "Store the right one with hotline key set. A new try comes at once then, else after a minute."
    ),
    .upstreamRejected: .init(
      "The server refused the upgrade in a way that waiting does not heal, such as with status "
        + "404, or its proxy refused the tunnel.",
      "Check url, headers and proxy of the upstream; hotline doctor shows the server's answer."),
    .upstreamProtocol: .init(
      "The server sent what the protocol forbids, or an event of more than event_bytes_max.",
      "Ask again if it may be billed twice. If it comes again, the server's owner wants to know."),
    .connectionLost: .init(
      "The connection ended before the answer did, for the reason in the message.",
      "Ask again; where hotline.sent is not no, that may be billed twice. hotline.resend has the "
        + "daemon do it where no event had come."),
    .conversationLost: .init(
      "previous_response_id names a response that lived only on a connection that is gone: it was "
        + "rotated, lost, or dropped to cancel a request.",
      "Send the conversation again in full. hotline ask --conversation says so and begins anew."),
    .slowReader: .init(
      "More than buffer_bytes_max of the answer waited unread at this program.",
      "Read while you write, and handle events elsewhere than in the reading loop; or ask for "
        + "hotline.events text or final."),
    .cancelled: .init(
      "Somebody else cancelled the request; or a reload ended the drain that was waited for.",
      "Ask again if it was a mistake. A drain can be asked for again."),
    .internal: .init(
      "A fault of the daemon's own.",
      "Ask again, and report it with the lines of the log around it; they have no prompt in them."),
    .shuttingDown: .init(
      "The daemon ends or is being drained and takes no new requests, or its time to finish the "
        + "accepted ones ran out.",
      "Ask again after the restart, or after hotline reload, which ends a drain. Under the service "
        + "manager the next connect waits for the new daemon."),
  ]
}

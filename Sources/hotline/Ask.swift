import Glibc

/// What `ask` does when its arguments are understood.
struct Ask: Hashable {
  var socket: String?
  var words: [String] = []
  var model: String?
  var system: String?
  var files: [String] = []
  var images: [String] = []
  var schema: String?
  var conversation: String?
  var upstream: String?
  var tag: String?
  var isBatch = false
  /// Seconds, of ``timeoutSeconds``.
  var timeout: Double?
  var form = Answer.Form.text
  var keepsControls = false
  var isVerbose = false

  /// A week; what the daemon allows may be less.
  static let timeoutSeconds = 0.001...604_800
  /// Characters of a conversation's name.
  static let nameLengths = 1...128

  func run() throws(CommandFailure) {
    let readsInput = isatty(STDIN_FILENO) == 0 || words == ["-"]
    let material = readsInput ? try InputText.readMaterial() : nil
    let words = words == ["-"] ? [] : words
    guard let text = InputText.joined(arguments: words, material: material) else {
      throw CommandFailure(
        .usage, "there is no text; give it as arguments (hotline ask TEXT) or on standard input")
    }
    let answer = try answer(to: request(text: text))
    if isVerbose, let summary = answer.summary {
      StandardDescriptors.writeError("hotline: \(PrintableText.line(summary.sentence))\n")
    }
    if let ending = answer.ending { throw ending }
  }

  /// - Throws: `.usage` if a file is not what it should be.
  private func request(text: String) throws(CommandFailure) -> AskRequest {
    var request = AskRequest(parts: [.text(text)], model: model, instructions: system)
    for path in files { request.parts.append(try .file(path)) }
    for path in images { request.parts.append(try .image(path)) }
    if let schema { request.format = try OutputSchema.format(file: schema) }
    request.delivery = .init(
      upstream: upstream, timeoutMilliseconds: timeout.map { max(1, Int(($0 * 1000).rounded())) },
      conversation: conversation, isBatch: isBatch, tag: tag)
    return request
  }

  /// Asks, in the conversation if there is one.
  private func answer(to request: AskRequest) throws(CommandFailure) -> Answer {
    guard let conversation else { return try exchange(request) }
    let file = try Conversation(name: conversation)
    let answer = try answer(to: request, after: file.place())
    if let summary = answer.summary, let id = summary.responseID, summary.canBeFollowed {
      try file.keep(.init(responseID: id, upstream: summary.upstream))
    }
    return answer
  }

  private func answer(
    to request: AskRequest, after place: Conversation.Place?
  ) throws(CommandFailure) -> Answer {
    guard let place else { return try exchange(request) }
    if let held = place.upstream, let upstream, upstream != held {
      sayBeginning(because: "it was with the upstream \"\(held)\", not \"\(upstream)\"")
      return try exchange(request)
    }
    var following = request
    following.previousResponseID = place.responseID
    following.delivery.upstream = upstream ?? place.upstream
    let answer = try exchange(following)
    guard answer.isConversationLost else { return answer }
    sayBeginning(
      because: answer.failure?.code == "conversation_lost"
        ? "the connection that it lived on is gone" : "the server no longer has it")
    following.previousResponseID = nil
    return try exchange(following)
  }

  private func sayBeginning(because reason: String) {
    let sentence =
      "the conversation \"\(conversation ?? "")\" is started again: \(reason); the model knows "
      + "nothing of what was said before"
    StandardDescriptors.writeError("hotline: \(PrintableText.line(sentence))\n")
  }

  private func exchange(_ request: AskRequest) throws(CommandFailure) -> Answer {
    let isTerminal = isatty(STDOUT_FILENO) == 1
    let line = isTerminal && form != .lines ? TransientLine() : nil
    let socket = try DaemonSocket(connectingTo: SocketOptions.path(given: socket))
    var exchange = AskExchange(
      request: request, socket: socket,
      answer: Answer(form, dropsControls: isTerminal && !keepsControls),
      endsLine: isTerminal || schema != nil,
      spinner: line.map { Spinner(on: $0, at: .current()) })
    return try exchange.run()
  }
}

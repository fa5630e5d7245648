/// The commands that others wait for, from plain arguments: see ``QuickArguments``.
///
/// Whatever is understood here the argument parser understands in the same way.
enum QuickCommand: Hashable {
  case ask(Ask)
  case send(Send)
  case getSockname(socket: String?, json: Bool)

  init?(_ arguments: [String]) {
    let rest = arguments.dropFirst()
    switch arguments.first {
    case "ask":
      guard let ask = Ask(quick: rest) else { return nil }
      self = .ask(ask)
    case "send":
      guard let send = Send(quick: rest) else { return nil }
      self = .send(send)
    case "get-sockname":
      guard let given = QuickArguments(rest, options: ["--socket"], flags: ["--json"]),
        given.words.isEmpty
      else { return nil }
      self = .getSockname(socket: given.value("--socket"), json: given.has("--json"))
    default: return nil
    }
  }

  func run() throws(CommandFailure) {
    switch self {
    case .ask(let ask): try ask.run()
    case .send(let send): try send.run()
    case .getSockname(let socket, let json):
      try GetSocknameCommand.printPath(given: socket, asJSON: json)
    }
  }
}

extension Ask {
  private static let options: Set = [
    "--socket", "--model", "--system", "--file", "--image", "--schema", "--conversation",
    "--upstream", "--tag", "--timeout",
  ]
  private static let flags: Set = ["--batch", "--json", "--events", "--raw", "-v", "--verbose"]

  fileprivate init?(quick arguments: some Collection<String>) {
    guard let given = QuickArguments(arguments, options: Self.options, flags: Self.flags),
      !(given.has("--json") && given.has("--events"))
    else { return nil }
    if let text = given.value("--timeout") {
      guard let seconds = Double(text), Self.timeoutSeconds.contains(seconds) else { return nil }
      timeout = seconds
    }
    if let name = given.value("--conversation") {
      guard Self.nameLengths.contains(name.unicodeScalars.count) else { return nil }
      conversation = name
    }
    socket = given.value("--socket")
    words = given.words
    model = given.value("--model")
    system = given.value("--system")
    files = given.values("--file")
    images = given.values("--image")
    schema = given.value("--schema")
    upstream = given.value("--upstream")
    tag = given.value("--tag")
    isBatch = given.has("--batch")
    form = given.has("--events") ? .lines : given.has("--json") ? .response : .text
    keepsControls = given.has("--raw")
    isVerbose = given.has("-v") || given.has("--verbose")
  }
}

extension Send {
  fileprivate init?(quick arguments: some Collection<String>) {
    guard let given = QuickArguments(arguments, options: ["--socket"], flags: []),
      given.words.count <= 1
    else { return nil }
    self.init(socket: given.value("--socket"), file: given.words.first)
  }
}

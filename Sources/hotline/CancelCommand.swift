import ArgumentParser
import HotlineWire

struct CancelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "Cancel a request, whoever has made it.",
    discussion: """
      The ids of open requests, and their clients' numbers, are in "hotline status --json".

      \(ExitStatus.table)
      """)

  @OptionGroup var options: QuestionOptions
  @Option(
    help: ArgumentHelp(
      "The number of the request's client, where several have one of that id.",
      valueName: "number"))
  var client: UInt64?
  @Argument(help: ArgumentHelp("The request's request_id.", valueName: "id")) var id: String

  func run() throws {
    let socket = try DaemonSocket(connectingTo: options.socketOptions.path())
    let question = Question(
      type: "hotline.status", answerType: "hotline.status", timeout: .seconds(options.timeout))
    let (status, _) = try question.ask(socket)
    let found = status.withUnsafeBytes { bytes in
      JSONView(line: bytes).map { OpenRequest.all(in: $0) } ?? []
    }.filter { $0.id == id && (client == nil || $0.client == client) }
    let request = try Self.only(found, id: id)
    try options.ask(
      "hotline.cancel", answer: "hotline.ok", on: socket,
      members: { line in
        line.member("client", request.client)
        line.member("request_id", spelling: request.idSpelling)
      }
    ) { _, _ in "" }
  }

  private static func only(
    _ found: [OpenRequest], id: String
  ) throws(CommandFailure) -> OpenRequest {
    guard let first = found.first else {
      throw CommandFailure(
        .failed,
        "no open request has the id \"\(id)\"; \"hotline status --json\" lists those that there are"
      )
    }
    guard found.count == 1 else {
      let clients = found.map { "\($0.client) (\($0.command))" }.joined(separator: ", ")
      throw CommandFailure(
        .usage,
        "several open requests have the id \"\(id)\": of the clients \(clients); say which with "
          + "--client NUMBER")
    }
    return first
  }
}

/// A request of a status line.
struct OpenRequest: Hashable {
  var client: UInt64
  var command: String
  /// Decoded.
  var id: String
  var idSpelling: [UInt8]

  static func all(in status: JSONView) -> [OpenRequest] {
    (status["clients"]?.elements ?? []).flatMap { all(of: $0).map(\.request) }
  }

  /// Those of one client, each with what the status says of it.
  static func all(of client: JSONView) -> [(request: OpenRequest, view: JSONView)] {
    guard let number = client["number"]?.integer else { return [] }
    return (client["requests"]?.elements ?? []).compactMap { view in
      guard let id = view["request_id"] else { return nil }
      let request = OpenRequest(
        client: UInt64(number), command: words(client["command"]),
        id: id.string ?? String(decoding: id.bytes, as: UTF8.self), idSpelling: Array(id.bytes))
      return (request, view)
    }
  }
}

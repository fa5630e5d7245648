import ArgumentParser
import HotlineCore

struct PingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ping",
    abstract: "Ask the daemon for a sign of life.",
    discussion: ExitStatus.table)

  @OptionGroup var options: QuestionOptions

  func run() throws {
    try options.ask("hotline.ping", answer: "hotline.pong") { pong, time in
      let milliseconds = Quantity.fixed(Double(time.wholeNanoseconds) / 1e6, decimals: 2)
      var parts = ["pid \(pong["pid"]?.integer.map { String($0) } ?? "?")"]
      if let uptime = pong["uptime_s"]?.number { parts.append("up \(Quantity.seconds(uptime))") }
      if let version = pong["protocol"]?.integer { parts.append("protocol \(version)") }
      let version = PrintableText.line(pong["version"]?.string ?? "?")
      return "hotlined \(version) answered in \(milliseconds) ms "
        + "(\(parts.joined(separator: ", ")))\n"
    }
  }
}

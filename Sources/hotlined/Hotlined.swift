import ArgumentParser
import Glibc
import HotlineCore
import HotlineDaemon

@main
struct Hotlined: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hotlined",
    abstract: "Keeps warm connections to a language model's API for local programs.",
    discussion: """
      Programs write requests as JSON lines to a Unix socket and read the answers from it; see \
      hotline-protocol(7). Exit status: 0 after a clean end, 1 if the socket cannot be had, 64 for \
      wrong usage, 78 for a wrong configuration or a missing key.
      """,
    version: "hotlined \(hotlineVersion)")

  @Option(help: "Configuration file (default: $XDG_CONFIG_HOME/hotline/config.toml).")
  var config: String?

  @Option(help: "Path of the Unix socket (default: $XDG_RUNTIME_DIR/hotline.sock).")
  var socket: String?

  @Option(help: "URL of the default upstream.")
  var url: String?

  @Option(help: "File that holds the API key of the default upstream; mode 0600.")
  var apiKeyFile: String?

  @Option(help: "PEM file of the certificate authorities to trust for the default upstream.")
  var caFile: String?

  @Flag(help: "Check the configuration, say what is wrong with it, and exit.")
  var checkConfig = false

  @Flag(help: "Try every step to every upstream, say how it went, and exit: 0 if all is well.")
  var doctor = false

  @Flag(help: "List the upstreams, where their keys are, and the presets, and exit.")
  var upstreams = false

  @Flag(help: "With --doctor or --upstreams: report as JSON.")
  var json = false

  @Flag(help: "Read an API key from the terminal or standard input, store it, and exit.")
  var storeKey = false

  @Option(help: "With --store-key: whose key it is (default: the default upstream's).")
  var upstream: String?

  @Option(help: "trace, debug, info, notice, warning, error or critical (default: info).")
  var logLevel: String?

  @Option(
    help: "auto (with fields in the journal, else text), text or json (default: auto).")
  var logFormat: String?

  func validate() throws {
    let ways = [doctor, checkConfig, storeKey, upstreams].count { $0 }
    if json, !doctor, !upstreams {
      throw ValidationError("--json goes with --doctor or --upstreams alone.")
    }
    if upstream != nil, !storeKey {
      throw ValidationError("--upstream goes with --store-key alone.")
    }
    if ways > 1 {
      throw ValidationError(
        "--check-config, --doctor, --upstreams and --store-key exclude one another.")
    }
  }

  func run() throws {
    var options = CommandLineOptions()
    options.config = config
    options.socket = socket
    options.url = url
    options.apiKeyFile = apiKeyFile
    options.caFile = caFile
    options.logLevel = logLevel
    options.logFormat = logFormat
    options.storeKey = storeKey
    options.upstream = upstream
    options.checkConfig = checkConfig
    options.doctor = doctor
    options.upstreams = upstreams
    options.json = json
    let status = Daemon.run(options)
    if status != 0 { throw ExitCode(status) }
  }
}

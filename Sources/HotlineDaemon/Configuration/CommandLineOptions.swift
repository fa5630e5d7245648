/// The daemon's flags as given; nil where they were not.
package struct CommandLineOptions: Hashable, Sendable {
  /// `--config FILE`: has to exist.
  package var config: String?
  package var socket: String?
  /// `--url`, `--api-key-file` and `--ca-file` belong to the default upstream alone.
  package var url: String?
  package var apiKeyFile: String?
  package var caFile: String?
  package var logLevel: String?
  package var logFormat: String?
  /// `--check-config`: tell what is wrong and end.
  package var checkConfig = false
  /// `--doctor`: try every step to every upstream, say how it went, and end.
  package var doctor = false
  /// `--upstreams`: say what requests may go to, and end.
  package var upstreams = false
  /// `--store-key`: read a key and store it where it is looked for, and end.
  package var storeKey = false
  /// `--upstream NAME`: whose key that is; the default upstream's if nil.
  package var upstream: String?
  /// `--json`: the doctor's report, or the list of upstreams, as JSON.
  package var json = false

  package init() {}
}

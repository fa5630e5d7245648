#!/usr/bin/env ruby
# frozen_string_literal: true

# A client of hotlined on Ruby's standard library: copy it, or require it.
#
#     hotline.rb ask|stream|tools|parallel|cancel [TEXT...]
#
# Without TEXT the question is standard input. README.md has the exit status.
require "json"
require "socket"

# A connection with any number of requests side by side. Use it from one thread.
class Hotline
  # hotlined is not there, refused the connection, or left before a request's last line.
  class Unreachable < StandardError; end

  # What has come of one request; it is over when it has an outcome.
  class Answer
    attr_reader :id, :text, :response, :error, :outcome

    def initialize(id)
      @id = id
      @text = +""
      @response = {}
    end

    def take(line)
      case line["type"]
      when "response.output_text.delta" then @text << line["delta"]
      when "response.completed", "response.incomplete", "response.failed"
        @response = line["response"]
        parts = @response["output"].flat_map { |item| item["content"] || [] }
        @text << parts.map { |part| part["text"] }.join if @text.empty?
      when "error"
        @error = line
        # Refused: nothing follows. After every other error a hotline.done does.
        @outcome = "error" if line.dig("hotline", "accepted") == false
      when "hotline.done" then @outcome = line["outcome"]
      end
    end

    def over? = !@outcome.nil?

    # The exit status that tells this outcome.
    def status
      known = { "completed" => 0, "incomplete" => 3, "cancelled" => 130 }
      known.fetch(@outcome) { @error&.dig("hotline", "retryable") ? 75 : 1 }
    end

    def problem
      error = @error || @response
      message = (error["error"] || error)["message"]
      message ? "#{@outcome}: #{message}" : @outcome
    end
  end

  def self.socket_path(env = ENV)
    path, directory = env.values_at("HOTLINE_SOCKET", "XDG_RUNTIME_DIR").map(&:to_s)
    return path unless path.empty?
    return "#{directory}/hotline.sock" unless directory.empty?

    raise Unreachable, "cannot reach hotlined: set HOTLINE_SOCKET or XDG_RUNTIME_DIR"
  end

  def initialize(path = Hotline.socket_path)
    @socket = UNIXSocket.new(path)
    @socket.set_encoding(Encoding::UTF_8)
    @open = {}
    @made = 0
    # A thread, because the daemon may wait for us to read while we write.
    @outgoing = Queue.new
    Thread.new { write }
  rescue SystemCallError, ArgumentError => e
    raise Unreachable, "cannot reach hotlined at #{path}: #{e.message}"
  end

  # Sends a request and returns its answer to come. The options are those of `hotline`.
  def request(response, **options)
    answer = Answer.new("q#{@made += 1}")
    @open[answer.id] = answer
    send_line(type: "response.create", request_id: answer.id, hotline: options, response: response)
    answer
  end

  def cancel(answer) = send_line(type: "response.cancel", request_id: answer.id)

  # Says that no more requests come: the daemon closes after the last answer.
  def finish = @outgoing.close

  # Waits for the next line of a request, which its answer takes.
  def read
    while (text = @socket.gets("\n"))&.end_with?("\n")
      line = JSON.parse(text)
      if (answer = @open[line["request_id"]])
        answer.take(line)
        @open.delete(answer.id) if answer.over?
        return line
      elsif line["type"] == "error" && line["request_id"].nil?
        raise Unreachable, "refused by hotlined: #{line.dig("error", "message")}"
      end
    end
    raise Unreachable, "hotlined closed the connection before the last line"
  rescue Errno::ECONNRESET
    raise Unreachable, "the connection to hotlined was lost"
  end

  def wait(answer)
    read until answer.over?
    answer
  end

  private

  def send_line(members) = @outgoing << "#{JSON.generate(members)}\n"

  def write
    while (line = @outgoing.pop)
      @socket.write(line)
    end
    @socket.close_write
  rescue SystemCallError
    # The daemon has closed; what it said before is still to be read.
  end
end

# Examples: each returns the answers that decide about the exit status.
module Examples
  MODEL = "gpt-5.3-codex"
  SCHEMA = { type: "object", properties: { answer: { type: "string" } }, required: ["answer"] }.freeze
  COUNT_WORDS = { type: "function", name: "count_words", parameters: SCHEMA }.freeze

  module_function

  # One request, and no event but the last.
  def ask(hotline, text)
    answer = hotline.request({ model: MODEL, input: text }, events: "final")
    hotline.finish
    puts hotline.wait(answer).text
    [answer]
  end

  # The text as it comes, cancelled after so many deltas.
  def stream(hotline, text, deltas_max: nil)
    answer = hotline.request({ model: MODEL, input: text })
    deltas = 0
    until answer.over?
      line = hotline.read
      next unless line["type"] == "response.output_text.delta"

      print line["delta"]
      hotline.cancel(answer) if (deltas += 1) == deltas_max # A hotline.done still comes.
    end
    puts
    [answer]
  end

  def cancel(hotline, text) = stream(hotline, text, deltas_max: 3)

  # The model calls a function; the result goes back with the whole conversation.
  def tools(hotline, text)
    input = [{ role: "user", content: text }]
    request = { model: MODEL, tools: [COUNT_WORDS], input: input }
    options = { conversation: "tools-#{Process.pid}" }
    answer = hotline.wait(hotline.request(request, **options))
    calls = answer.response.fetch("output", []).select { |item| item["type"] == "function_call" }
    calls.each do |call|
      output = "#{JSON.parse(call["arguments"])["answer"].split.length} words"
      input << call.except("id") # The server has not stored it.
      input << { type: "function_call_output", call_id: call["call_id"], output: output }
    end
    answer = hotline.wait(hotline.request(request, **options)) if calls.any?
    puts answer.text
    [answer]
  end

  # Ten requests on one connection, whose events come in any order.
  def parallel(hotline, text)
    answers = (1..10).map { |number| hotline.request({ model: MODEL, input: "#{text} #{number}" }) }
    answers.each.with_index(1) { |answer, number| puts "#{number}: #{hotline.wait(answer).text}" }
  end
end

if $PROGRAM_NAME == __FILE__
  name, *words = ARGV.map { |word| word.dup.force_encoding(Encoding::UTF_8) }
  unless %w[ask stream tools parallel cancel].include?(name)
    warn "usage: hotline.rb ask|stream|tools|parallel|cancel [TEXT...]"
    exit 2
  end
  $stdout.sync = true
  begin
    text = words.empty? ? $stdin.set_encoding(Encoding::UTF_8).read : words.join(" ")
    answers = Examples.send(name, Hotline.new, text)
  rescue Hotline::Unreachable => e
    warn "hotline: #{e.message}"
    exit 69
  end
  answers.each { |answer| warn "hotline: #{answer.problem}" unless answer.status.zero? }
  exit answers.map(&:status).max
end

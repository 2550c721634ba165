package bot

func retestCommand() Command {
	return Command{
		Names:   []string{"retest", "retest-required"},
		Usage:   "/retest",
		Help:    "Runs again the jobs that failed (/retest-required: only those that must pass).",
		Example: "/retest",
		Who:     Trusted,
		act:     actTest,
	}
}

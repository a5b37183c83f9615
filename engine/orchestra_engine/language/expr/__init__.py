"""expr-lang 1.17 (https://expr-lang.org/docs/language-definition): read, checked as it is compiled, evaluated."""

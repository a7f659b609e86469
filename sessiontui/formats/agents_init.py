"""The agents whose sessions we show: where they are, how omp names them, what resumes them."""

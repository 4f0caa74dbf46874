/** How the documents of logs are indexed. People search `text` by words; we look for pieces of three letters, of which any text is made. */
export const indexTemplate = (index: string): object => ({
  index_patterns: [`${index}-*`],
  template: {
    settings: {
      analysis: {
        tokenizer: { millrace_grams: { type: 'ngram', min_gram: 3, max_gram: 3 } },
        analyzer: { millrace_grams: { type: 'custom', tokenizer: 'millrace_grams', filter: ['lowercase'] } },
      },
    },
    mappings: {
      dynamic: false,
      properties: {
        '@timestamp': { type: 'date' },
        log: { type: 'keyword' },
        block: { type: 'integer' },
        offset: { type: 'long' },
        lines: { type: 'integer' },
        dag: { type: 'keyword' },
        run: { type: 'keyword' },
        task: { type: 'keyword' },
        map_index: { type: 'integer' },
        try: { type: 'integer' },
        text: {
          type: 'text',
          fields: { grams: { type: 'text', analyzer: 'millrace_grams', index_options: 'docs', norms: false } },
        },
      },
    },
  },
});
